"""The invented company of the screenshots, its customers and its images."""

from __future__ import annotations

TEAM_NAME = "Kestrel Software"
TIME_ZONE = "Europe/Berlin"
OWNER = ("maya.lindqvist@kestrel.example", "Maya Lindqvist")
MEMBERS = (
    ("jonas.weber@kestrel.example", "Jonas Weber", "admin"),
    ("priya.raman@kestrel.example", "Priya Raman", "developer"),
    ("tomas.novak@kestrel.example", "Tomáš Novák", "support"),
    ("aiko.mori@kestrel.example", "Aiko Mori", "sales"),
    ("louise.martin@kestrel.example", "Louise Martin", "read-only"),
)
INVITED = (("sam.okafor@kestrel.example", "support"), ("dana@agency.example", "sales"))

SERVICE_ACCOUNTS = (("ci-pipeline", "developer"), ("billing-sync", "sales"))
NEW_TEAM = "young"

# Name, slug, and slugs of its channels by their names
APPLICATIONS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Kestrel Server", "kestrel-server", {"Beta": "beta", "Long-term support": "lts"}),
    ("Kestrel Edge", "kestrel-edge", {"Beta": "beta"}),
    ("Kestrel Insights", "kestrel-insights", {}),
)
FIELD_COLUMNS = ("name", "title", "type", "default", "options", "required")
FIELDS: tuple[tuple[object, ...], ...] = (
    ("seats", "Seats", "Integer", 25, [], True),
    ("edition", "Edition", "Enum", "standard", ["standard", "enterprise"], True),
    ("sso", "Single sign-on", "Boolean", False, [], False),
    ("order_number", "Order number", "String", None, [], False),
    ("smtp_password", "Relay password", "Password", None, [], False),
)
REPOSITORIES = {
    "kestrel-server": ("kestrel/api", "kestrel/web", "kestrel/worker"),
    "kestrel-edge": ("kestrel/edge-gateway", "kestrel/edge-agent"),
    "kestrel-insights": ("kestrel/insights",),
}
TAGS = ("v3.8.2", "v3.9.0", "v3.9.1", "v4.0.0")

_CUSTOMERS = """
    Aurora Hospitals; Baltic Freight; Blue Mesa Energy; Brightwater Council;
    Cardinal Insurance; Cedar & Finch; Civic Transit Authority; Delphi Robotics;
    Eastgate Logistics; Elm Street Bank; Fjord Aquaculture; Fourfold Media;
    Granite Peak Mining; Halcyon Pharma; Harbour Clinics; Helvetia Instruments;
    Ironbark Foods; Juniper Retail Group; Kite & Compass Travel;
    Lakeshore University; Lumen Optics; Meridian Airways; Monsoon Telecom;
    Northern Grid; Oakham Publishing; Obsidian Games; Orchard Health Trust;
    Pelican Shipping; Pinnacle Actuaries; Quarry Lane Architects;
    Redwood Credit Union; Riverbend Utilities; Saffron Kitchens; Silverline Rail;
    Stadtwerke Neuhafen; Summit Outdoor; Tamar Water; Vantage Legal;
    Westfield Ceramics; Zephyr Turbines
"""
CUSTOMERS = [name.strip() for name in _CUSTOMERS.split(";")]
REVOKE_REASONS = (
    "Contract ended on the customer's request, ticket KS-2231.",
    "Invoices unpaid for 90 days.",
    "License ID was published in a public repository.",
)

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

# The public half of a passkey that a virtual authenticator once made and forgot.
PASSKEY = {
    "id": "C9VR2OSoRjq5JoHTdGCOdePr_LXtRaXTicDngmWuiHI",
    "rawId": "C9VR2OSoRjq5JoHTdGCOdePr_LXtRaXTicDngmWuiHI",
    "type": "public-key",
    "authenticatorAttachment": "platform",
    "response": {
        "transports": ["internal"],
        "clientDataJSON": (
            "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiWVBtZVJwazlDOUdaYl90"
            "aXRxWF9NVmpnbFgwV0x4aF9Mc0NvYmZlYlBJTSIsIm9yaWdpbiI6Imh0dHA6Ly9sb2NhbGhv"
            "c3Q6NDc2NDMiLCJjcm9zc09yaWdpbiI6ZmFsc2V9"
        ),
        "attestationObject": (
            "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YVikSZYN5YgOjGh0NBcPZHZgW4_krrmihjLH"
            "mVzzuoMdl2NFAAAAAQECAwQFBgcIAQIDBAUGBwgAIAvVUdjkqEY6uSaB03RgjnXj6_y17UWl"
            "04nA54JlrohypQECAyYgASFYIErs4uJRS1Jkys6taCBaKbBez-dF1RnUpGiXZu_MkwMBIlgg"
            "81gqxt-I3yCIaIhRozaJgRZjklv41DKVVbFWetGN8a0"
        ),
    },
}

# How the customers see the vendor.
LOOK = {
    "display_name": "Kestrel Software",
    "accent": "#0f766e",
    "support_email": "help@kestrel.example",
    "support_url": "https://kestrel.example/help",
    "reply_to": "licenses@kestrel.example",
}
# The people at one customer: address, name and role.
CONTACTS = (
    ("nina@tamar-water.example", "Nina Falk", "administrator"),
    ("tom@tamar-water.example", "Tom Berger", "reader"),
    ("eva@tamar-water.example", "", "administrator"),
)
