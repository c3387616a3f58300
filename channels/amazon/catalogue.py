"""How all listings are turned through, though no search turns to more than a thousand."""

from typing import NamedTuple, Self

from .words import Items


class Place(NamedTuple):
    """Where one is: in the search of listings made `since`, so many of them `seen`, the next page by `token`."""

    since: str = ""
    seen: int = 0
    token: str = ""

    @classmethod
    def of(cls, text: str) -> Self:
        """The place of a cursor; the beginning for ''."""
        if not text:
            return cls()
        since, seen, token = text.split(" ", 2)
        return cls(since, int(seen), token)

    @property
    def text(self) -> str:
        """The cursor of this place; '' for the beginning, which is where one is after the end."""
        return f"{self.since} {self.seen} {self.token}" if self != Place() else ""

    @property
    def params(self) -> dict[str, str]:
        """What to ask for."""
        return {name: value for name, value in (("createdAfter", self.since), ("pageToken", self.token)) if value}


def after(place: Place, page: Items) -> Place:
    """
    The place after a page, `Place()` after the last one.

    A search that ends before all is seen is begun again with the last listing's time; those of that very time are told
    twice. Where all of them are of one time there is no way on.
    """
    seen = place.seen + len(page.items)
    if page.pagination.next_token:
        return Place(place.since, seen, page.pagination.next_token)
    last = page.items[-1].summaries[0].created_date if page.items and page.items[-1].summaries else ""
    if seen < page.number_of_results and last and last != place.since:
        return Place(last)
    return Place()
