"""The day of an ERP that hears of sales late: exact with a watermark; what the other ways cost is printed."""

import os

from tests.app.erp_days import WAYS, ErpDays

DAYS = int(os.environ.get("ALLOT_ERP_DAYS", "5"))
"""2,000 take some minutes: ALLOT_ERP_DAYS=2000 make test ARGS="-k erp_day -s"."""


async def test_an_erp_day_oversells_nothing_when_counts_say_what_they_have_seen(redis_of_service, database, capsys):
    days = ErpDays(redis_of_service, database, DAYS)

    outcomes = await days.live()

    await days.shop.pipe.close()
    with capsys.disabled():
        print("", *(outcomes[way].says(way) for way in WAYS), sep="\n")
    seen = outcomes["seen"]
    assert (seen.oversold_days, seen.wrong, seen.reviewed) == (0, 0, 0)
    # The model is hard enough: the same days go wrong where a count only names a time.
    assert outcomes["time"].oversold_days > 0
