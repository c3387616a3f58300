"""The room that talks to the places that sell: knows HTTP and their wire formats, nothing of stock decisions."""
