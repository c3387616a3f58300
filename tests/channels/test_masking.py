"""What is written down of an exchange has neither secrets nor buyers in it."""

import json

import pytest

from channels.masking import KEPT_MAX, MASK, is_hidden, masked_body, masked_pairs


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "X-Shopify-Access-Token",
        "x-amz-access-token",
        "refresh_token",
        "client_secret",
        "consumer_key",
        "shippingAddress",
        "deliveryAddress",
        "first_name",
        "buyerEmail",
        "postalCode",
        "addressLine1",
        "primaryPhone",
        "X-WC-Webhook-Signature",
        "giftDetails",
    ],
)
def test_what_is_nobodys_business_is_hidden(name: str):
    assert is_hidden(name)


@pytest.mark.parametrize("name", ["sku", "quantity", "orderId", "status", "errors", "message", "errorCode", "id"])
def test_what_one_needs_to_find_a_mistake_stays(name: str):
    assert not is_hidden(name)


def test_hidden_fields_are_masked_however_deep_they_lie():
    body = {"orders": [{"id": 7, "billing": {"city": "Oslo"}, "items": [{"sku": "CUP", "buyer": {"name": "Ann"}}]}]}

    kept = masked_body(json.dumps(body).encode())

    assert json.loads(kept) == {"orders": [{"id": 7, "billing": MASK, "items": [{"sku": "CUP", "buyer": MASK}]}]}


def test_a_form_keeps_what_is_no_secret():
    kept = masked_body(b"grant_type=refresh_token&refresh_token=abc&client_id=7", "application/x-www-form-urlencoded")

    assert kept == "grant_type=refresh_token&refresh_token=***&client_id=***"


def test_of_what_is_no_json_only_the_size_is_kept():
    assert masked_body(b"<html>Ann lives in Oslo</html>") == "30 bytes that are no JSON"


def test_a_long_body_is_cut():
    assert len(masked_body(json.dumps(["x" * 100] * 1_000).encode())) == KEPT_MAX


def test_parameters_are_masked_by_name():
    assert masked_pairs((("sku", "CUP"), ("consumer_secret", "cs_1"))) == "sku=CUP&consumer_secret=***"
