from __future__ import annotations

from django.contrib import admin

from customers.models import Contact, CustomerLink, MailChoice, Unsubscription
from portal.http.admin import ReadOnlyAdmin


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    list_display = ("email", "customer", "team", "role", "last_seen_at")
    search_fields = ("email", "name")
    fields = (
        "id",
        "team",
        "customer",
        "email",
        "name",
        "role",
        "invited_by",
        "last_seen_at",
        "created_at",
    )


@admin.register(CustomerLink)
class CustomerLinkAdmin(ReadOnlyAdmin):
    list_display = ("contact", "team", "created_at", "state")
    # Without "digest".
    fields = (
        "id",
        "team",
        "contact",
        "message",
        "sent_by",
        "created_at",
        "expires_at",
        "opened_at",
        "used_at",
        "withdrawn_at",
    )


@admin.register(MailChoice)
class MailChoiceAdmin(ReadOnlyAdmin):
    list_display = ("team", "kinds")
    fields = ("id", "team", "kinds", "created_at")


@admin.register(Unsubscription)
class UnsubscriptionAdmin(ReadOnlyAdmin):
    list_display = ("contact", "team", "kind", "created_at")
    fields = ("id", "team", "contact", "kind", "created_at")
