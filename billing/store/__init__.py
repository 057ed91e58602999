"""All SQL of billing. The caller owns the transaction."""

from billing.store.ledger import post
from billing.store.pages import (
    bill_for_office,
    bill_for_party,
    bills_of_office,
    bills_of_party,
    party_may_see_record,
    prepaid_of_unit,
    refusals,
)
from billing.store.payments import (
    Answered,
    BillToPay,
    NewPayment,
    NewRefusal,
    add_payment,
    add_refusal,
    allocate,
    answered,
    bill_to_pay,
    lock_transaction,
    next_payment_id,
    unit_id,
    unpaid_bill_of_unit,
)

__all__ = [
    "Answered",
    "BillToPay",
    "NewPayment",
    "NewRefusal",
    "add_payment",
    "add_refusal",
    "allocate",
    "answered",
    "bill_for_office",
    "bill_for_party",
    "bill_to_pay",
    "bills_of_office",
    "bills_of_party",
    "lock_transaction",
    "next_payment_id",
    "party_may_see_record",
    "post",
    "prepaid_of_unit",
    "refusals",
    "unit_id",
    "unpaid_bill_of_unit",
]
