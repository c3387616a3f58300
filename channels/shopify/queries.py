"""The GraphQL we send to Shopify; checked against its published schema by the tests."""

from typing import Final

SET_QUANTITIES: Final = """
mutation SetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}
"""

LEVELS: Final = """
query Levels($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id
      sku
      tracked
      inventoryLevel(locationId: $location) { quantities(names: ["available"]) { name quantity } }
    }
  }
}
"""

ITEMS: Final = """
query Items($first: Int!, $after: String, $location: ID!) {
  inventoryItems(first: $first, after: $after) {
    nodes {
      id
      sku
      tracked
      inventoryLevel(locationId: $location) { quantities(names: ["available"]) { name quantity } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

_LINES: Final = """
      nodes {
        id
        sku
        quantity
        currentQuantity
        unfulfilledQuantity
        requiresShipping
        variant { inventoryItem { id } }
      }
      pageInfo { hasNextPage endCursor }
"""

_ORDER: Final = (
    """
    id
    name
    createdAt
    updatedAt
    cancelledAt
    test
    displayFinancialStatus
    displayFulfillmentStatus
    shippingAddress { countryCodeV2 provinceCode }
    refunds(first: 50) {
      refundLineItems(first: 50) { nodes { quantity restockType lineItem { id } } }
    }
    lineItems(first: 50) {"""
    + _LINES
    + "    }\n"
)

ORDERS: Final = (
    """
query Orders($first: Int!, $after: String, $query: String!) {
  orders(first: $first, after: $after, sortKey: UPDATED_AT, query: $query) {
    nodes {"""
    + _ORDER
    + """    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
)

ORDER: Final = "query Order($id: ID!) { order(id: $id) {" + _ORDER + "} }"

MORE_LINES: Final = (
    """
query MoreLines($id: ID!, $after: String!) {
  order(id: $id) { lineItems(first: 250, after: $after) {"""
    + _LINES
    + """ } }
}
"""
)

PARCELS: Final = """
query Parcels($id: ID!) {
  order(id: $id) {
    fulfillments(first: 100) { trackingInfo(first: 10) { number } }
    fulfillmentOrders(first: 50) {
      nodes {
        id
        status
        assignedLocation { location { id } }
        lineItems(first: 250) { nodes { id remainingQuantity lineItem { id } } }
      }
    }
  }
}
"""

FULFIL: Final = """
mutation Fulfil($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id status }
    userErrors { field message }
  }
}
"""

CANCEL: Final = """
mutation Cancel($id: ID!) {
  orderCancel(
    orderId: $id, reason: INVENTORY, restock: true, notifyCustomer: true,
    refundMethod: { originalPaymentMethodsRefund: true }
  ) {
    job { id }
    orderCancelUserErrors { code field message }
  }
}
"""

WEBHOOKS: Final = "query Webhooks { webhookSubscriptions(first: 100) { nodes { id topic uri } } }"

SUBSCRIBE: Final = """
mutation Subscribe($topic: WebhookSubscriptionTopic!, $hook: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $hook) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""

ALL: Final = {
    "SetQuantities": SET_QUANTITIES,
    "Levels": LEVELS,
    "Items": ITEMS,
    "Orders": ORDERS,
    "Order": ORDER,
    "MoreLines": MORE_LINES,
    "Parcels": PARCELS,
    "Fulfil": FULFIL,
    "Cancel": CANCEL,
    "Webhooks": WEBHOOKS,
    "Subscribe": SUBSCRIBE,
}
"""By the name of their operation."""
