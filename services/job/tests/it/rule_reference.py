"""Writes rule_reference.csv: the slots of calendar rules in zones over three years, found by python-dateutil.

dateutil finds the local times; zoneinfo turns them into moments: a time that comes twice counts at first, and one that is
skipped counts at the first moment after the gap. Each line has the rule, its start, the zone, the number of slots, the first
and the last one in seconds since 1970, and the FNV-1a hash (64 bits) of all of them as decimal numbers, each with a line break.

    python3 rule_reference.py >rule_reference.csv
"""

import datetime
import zoneinfo

from dateutil import rrule

UTC = datetime.timezone.utc
FROM = int(datetime.datetime(2027, 1, 1, tzinfo=UTC).timestamp())
TO = int(datetime.datetime(2030, 1, 1, tzinfo=UTC).timestamp())
ZONES = ["Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"]
RULES = [
    ("FREQ=DAILY", "2026-12-30T02:30:00"),
    ("FREQ=DAILY;INTERVAL=3;BYHOUR=1,2,3;BYMINUTE=0,20,40", "2026-11-01T00:00:00"),
    ("FREQ=DAILY;BYMONTH=2,3;BYMONTHDAY=29,-1", "2027-01-01T09:15:30"),
    ("FREQ=WEEKLY", "2027-03-28T02:30:00"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO", "2027-01-05T01:45:00"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU", "2027-01-05T01:45:00"),
    ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-06-01T17:00:00"),
    ("FREQ=MONTHLY;BYDAY=-1FR", "2026-01-30T09:00:00"),
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2027-01-01T17:30:00"),
    ("FREQ=MONTHLY;BYDAY=2SU,-1SU;BYHOUR=2;BYMINUTE=15,45", "2027-01-01T00:00:00"),
    ("FREQ=MONTHLY;BYMONTHDAY=31", "2027-01-31T00:00:00"),
    ("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "2026-01-01T23:59:59"),
    ("FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=1,-2", "2024-02-29T12:00:00"),
    ("FREQ=MONTHLY", "2026-10-31T02:10:00"),
    ("FREQ=YEARLY", "2024-02-29T02:15:00"),
    ("FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=-1", "2026-02-28T06:00:00"),
    ("FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU;BYHOUR=1,2,3;BYMINUTE=30", "2026-01-01T00:00:00"),
    ("FREQ=YEARLY;BYDAY=20MO,-1TH", "2026-01-01T10:00:00"),
    ("FREQ=YEARLY;BYYEARDAY=1,60,100,-1", "2026-05-05T08:00:00"),
    ("FREQ=YEARLY;BYMONTH=6,9", "2026-01-30T08:00:00"),
    ("FREQ=YEARLY;BYDAY=MO;BYSETPOS=3,-3;BYHOUR=9,18", "2026-01-01T00:00:00"),
    ("FREQ=WEEKLY;BYDAY=SU;COUNT=100", "2026-03-01T02:30:00"),
    ("FREQ=MONTHLY;BYMONTHDAY=29;COUNT=26", "2026-12-31T02:00:00"),
    ("FREQ=DAILY;INTERVAL=10;UNTIL=20290228T120000", "2026-12-25T12:00:00"),
]


def moment(local, zone):
    """The first moment at which clocks of the zone have come to the local time."""
    aware = local.replace(tzinfo=zone)
    second = int(aware.timestamp())
    if datetime.datetime.fromtimestamp(second, zone).replace(tzinfo=None) == local:
        return second
    # Skipped: the change lies between the two readings of the local time.
    low, high = sorted([second, int(aware.replace(fold=1).timestamp())])
    before = datetime.datetime.fromtimestamp(low, zone).utcoffset()
    while low + 1 < high:
        middle = (low + high) // 2
        if datetime.datetime.fromtimestamp(middle, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def fnv(found):
    value = 0xCBF29CE484222325
    for byte in "".join(f"{slot}\n" for slot in found).encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


for text, start in RULES:
    rule = rrule.rrulestr(text, dtstart=datetime.datetime.fromisoformat(start))
    local = rule.between(datetime.datetime(2026, 12, 30), datetime.datetime(2030, 1, 2), inc=True)
    for name in ZONES:
        zone = zoneinfo.ZoneInfo(name)
        found = sorted({slot for slot in (moment(one, zone) for one in local) if FROM <= slot < TO})
        print(f"{text}|{start}|{name}|{len(found)}|{found[0]}|{found[-1]}|{fnv(found):016x}")
