package main

import "testing"

func TestCompare(t *testing.T) {
	log := []string{"a", "b", "c", "d"}
	for name, c := range map[string]struct {
		log   []string
		seen  []string
		acked []string
		want  tally
	}{
		"all is well":         {log, []string{"b", "c", "d"}, []string{"a", "d"}, tally{}},
		"acknowledged, lost":  {log, nil, []string{"e"}, tally{lost: 1}},
		"not shown":           {log, []string{"a", "d"}, nil, tally{lost: 2}},
		"shown twice":         {log, []string{"a", "b", "b"}, nil, tally{doubled: 1}},
		"shown again later":   {log, []string{"a", "b", "a"}, nil, tally{swapped: 1}},
		"swapped":             {log, []string{"a", "c", "b", "d"}, nil, tally{lost: 1, swapped: 1}},
		"ordered twice":       {append(log, "a"), nil, nil, tally{doubled: 1}},
		"provisional first":   {log, []string{"a", provisional + "c", "b", "d"}, nil, tally{}},
		"provisional, a gap":  {log, []string{"a", provisional + "c", "d"}, nil, tally{lost: 1}},
		"never ordered, seen": {log, []string{"a", "x", "b"}, nil, tally{other: 1}},
	} {
		got := compare(c.log, map[string][][]string{"ann": {c.seen}}, map[string][]string{"ann": c.acked}, func(string, ...any) {})
		if got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	for line, want := range map[string]message{
		":ann!u@h PRIVMSG #lobby :ann says 7\r\n":     {"PRIVMSG", "#lobby", "ann says 7"},
		"@msgid=x :ann!u@h PRIVMSG #lobby :a :b\r\n":  {"PRIVMSG", "#lobby", "a :b"},
		"PING :token\r\n":                             {"PING", "", "token"},
		":srv 366 ann #lobby :End of /NAMES list\r\n": {"366", "ann", "End of /NAMES list"},
		":srv 433 * ann :Nickname is in use\r\n":      {"433", "*", "Nickname is in use"},
	} {
		if got := parse(line); got != want {
			t.Errorf("%q: got %+v, want %+v", line, got, want)
		}
	}
}
