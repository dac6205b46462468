"""Writes reference.csv: the slots of cron expressions in zones over two years, found in another way.

It goes through all moments of UTC, minute by minute, with Python's zoneinfo, where the crate goes through local times.
Each line has the expression, the zone, the number of slots, the first and the last one in seconds since 1970, and the
FNV-1a hash (64 bits) of all of them as decimal numbers, each with a line break.

    python3 reference.py >reference.csv
"""

import calendar
import datetime
import zoneinfo

UTC = datetime.timezone.utc
FROM = datetime.datetime(2027, 1, 1, tzinfo=UTC)
TO = datetime.datetime(2029, 1, 1, tzinfo=UTC)
ZONES = ["Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"]


def sunday_zero(date):
    return (date.weekday() + 1) % 7


def last_day(date):
    return calendar.monthrange(date.year, date.month)[1]


def nth(date):
    return (date.day - 1) // 7 + 1


def is_last(date):
    return date.day + 7 > last_day(date)


# Each expression with the same condition on a local date and time.
EXPRESSIONS = {
    "30 2 * * *": lambda t: (t.hour, t.minute) == (2, 30),
    "*/20 1-3 * * *": lambda t: t.minute % 20 == 0 and 1 <= t.hour <= 3,
    "0 0 * * *": lambda t: (t.hour, t.minute) == (0, 0),
    "30 9 * * mon-fri": lambda t: (t.hour, t.minute) == (9, 30) and t.weekday() < 5,
    "0 9 L * *": lambda t: (t.hour, t.minute) == (9, 0) and t.day == last_day(t),
    "15 2 29 2 *": lambda t: (t.hour, t.minute, t.day, t.month) == (2, 15, 29, 2),
    "45 1 * mar,apr,sep-nov sun": lambda t: (t.hour, t.minute) == (1, 45)
    and t.month in (3, 4, 9, 10, 11)
    and sunday_zero(t) == 0,
    "10 10 * * fri#2,monL": lambda t: (t.hour, t.minute) == (10, 10)
    and ((t.weekday() == 4 and nth(t) == 2) or (t.weekday() == 0 and is_last(t))),
    "59 23 13 * fri": lambda t: (t.hour, t.minute) == (23, 59) and (t.day == 13 or t.weekday() == 4),
    "5/25 */6 1,15 */2 ?": lambda t: t.minute in (5, 30, 55)
    and t.hour % 6 == 0
    and t.day in (1, 15)
    and t.month % 2 == 1,
}


def slots(matches, zone):
    minute = datetime.timedelta(minutes=1)
    found = []
    moment, before = FROM, (FROM - minute).astimezone(zone).utcoffset()
    while moment < TO:
        local = moment.astimezone(zone)
        gap = local.utcoffset() - before
        before = local.utcoffset()
        naive = local.replace(tzinfo=None)
        skipped = any(matches(naive - minute * n) for n in range(1, int(gap / minute) + 1)) if gap > minute * 0 else False
        # What is skipped counts at the first moment after the gap; what comes twice counts at first only.
        if skipped or (matches(naive) and local.fold == 0):
            found.append(int(moment.timestamp()))
        moment += minute
    return found


def fnv(found):
    value = 0xCBF29CE484222325
    for byte in "".join(f"{slot}\n" for slot in found).encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


for expression, matches in EXPRESSIONS.items():
    for name in ZONES:
        found = slots(matches, zoneinfo.ZoneInfo(name))
        print(f"{expression};{name};{len(found)};{found[0]};{found[-1]};{fnv(found):016x}")
