package main

import (
	"fmt"
	"strings"

	"warren/test/conform/check"
)

// maxProblems is how many problems are said one by one; the rest is counted.
const maxProblems = 10

// provisional stands before what is shown while a room is frozen. It is not shown again when it is ordered.
const provisional = "[provisional] "

// tally counts what must not be.
type tally struct{ lost, doubled, swapped, other int }

// compare holds what clients saw, connection by connection, and what they were told, against the room's log. Each connection must have seen a
// piece of the log without a gap, but for what it was shown as provisional, wherever it came; what was acknowledged must be there once.
func compare(log []string, sessions map[string][][]string, acked map[string][]string, problem func(format string, args ...any)) (t tally) {
	at := map[string]int{}
	for i, text := range log {
		if first, double := at[text]; double {
			t.doubled++
			problem("the log has %q twice, at %d and %d", text, first, i)
			continue
		}
		at[text] = i
	}
	for who, texts := range acked {
		for _, text := range texts {
			if _, ok := at[text]; !ok {
				t.lost++
				problem("%s was told that %q is ordered, but the log does not have it", who, text)
			}
		}
	}
	for who, list := range sessions {
		for _, seen := range list {
			early := map[string]bool{}
			for _, text := range seen {
				if text, is := strings.CutPrefix(text, provisional); is {
					early[text] = true
				}
			}
			before := -1
			for i, text := range seen {
				if strings.HasPrefix(text, provisional) {
					continue
				}
				here, ok := at[text]
				for before >= 0 && before+1 < here && early[log[before+1]] {
					before++
				}
				switch {
				case !ok:
					t.other++
					problem("%s saw %q, which the log does not have", who, text)
					continue
				case i == 0 || before < 0 || here == before+1:
				case here > before+1:
					n := 0
					for _, missed := range log[before+1 : here] {
						if !early[missed] {
							n++
						}
					}
					t.lost += n
					problem("%s saw nothing of %d messages before %q", who, n, text)
				case here == before:
					t.doubled++
					problem("%s saw %q twice", who, text)
				default:
					t.swapped++
					problem("%s saw %q after what comes after it", who, text)
				}
				before = max(before, here)
			}
		}
	}
	return t
}

// judge reads the disks of the stopped nodes and says the summary.
func (s *story) judge() (problems int, err error) {
	var dirs []string
	for _, x := range s.net.Nodes {
		dirs = append(dirs, x.Data)
	}
	found, err := check.Nodes(dirs...)
	if err != nil {
		return 0, err
	}
	said := 0
	problem := func(format string, args ...any) {
		if said++; said <= maxProblems {
			s.say("PROBLEM: "+format, args...)
		}
	}
	for _, p := range found.Problems {
		problem("on disk: %s", p)
	}
	logged := found.Room(room[1:])
	if logged == nil {
		return 0, fmt.Errorf("the disks know no room %s", room)
	}
	var log []string
	for _, m := range logged.Messages {
		log = append(log, m.Text)
	}
	sessions, acked, told := map[string][][]string{}, map[string][]string{}, 0
	for _, c := range s.clients {
		sessions[c.name] = c.sessions
		for _, a := range c.acked {
			acked[c.name] = append(acked[c.name], a.text)
		}
		told += len(c.acked)
	}
	t := compare(log, sessions, acked, problem)
	t.other += len(found.Problems)
	problems = t.lost + t.doubled + t.swapped + t.other
	word := "ok"
	if problems > 0 {
		word = "FAILED"
	}
	s.say("kill: %s: %d messages ordered, %d acknowledged: %d lost, %d doubled, %d swapped, %d other problems", word, len(log), told, t.lost, t.doubled, t.swapped, t.other)
	return problems, nil
}
