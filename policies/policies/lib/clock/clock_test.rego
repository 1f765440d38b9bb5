package library.lib.clock_test

import data.library.lib.clock

test_instant[name] if {
	some name, row in {
		"a date is its first moment in UTC": {"text": "1970-01-02", "ns": 86400000000000},
		"a time in UTC": {"text": "1970-01-01T00:00:01Z", "ns": 1000000000},
		"a time with an offset": {"text": "1970-01-01T02:00:00+02:00", "ns": 0},
		"the leap day": {"text": "2028-02-29", "ns": 1835395200000000000},
	}
	clock.instant(row.text) == row.ns
}

test_no_instant[name] if {
	some name, text in {
		"a word": "never",
		"a day that is not there": "2027-02-29",
		"no offset": "2026-09-30T00:00:00",
		"a number": 20260930,
		"nothing": null,
		"a date in a sentence": "until 2026-09-30",
	}
	not clock.instant(text)
}

test_now_is_the_clock if clock.now == 7 with time.now_ns as 7
