from __future__ import annotations

from django.urls import URLPattern, path

from licenses.web import customers
from teams.web.placeholder import placeholder

urlpatterns: list[URLPattern] = [
    path("licenses", placeholder, name="licenses"),
    path("customers", customers.customers, name="customers"),
    path("customers/new", customers.add_customer, name="customers-add"),
    path(
        "customers/<uuid:customer_id>",
        customers.customer_detail,
        name="customers-detail",
    ),
    path(
        "customers/<uuid:customer_id>/edit",
        customers.edit_customer,
        name="customers-edit",
    ),
    path(
        "customers/<uuid:customer_id>/archive",
        customers.archive,
        name="customers-archive",
    ),
    path(
        "customers/<uuid:customer_id>/restore",
        customers.restore,
        name="customers-restore",
    ),
]
