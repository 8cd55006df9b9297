//go:build conform

package conform

import (
	"slices"
	"testing"
)

// without returns the messages that somebody else said.
func without(list []said, nick string) []said {
	return slices.DeleteFunc(slices.Clone(list), func(m said) bool { return m.nick == nick })
}

// starting returns the messages that begin with prefix.
func starting(list []said, prefix string) []said {
	return slices.DeleteFunc(slices.Clone(list), func(m said) bool { return len(m.text) < len(prefix) || m.text[:len(prefix)] != prefix })
}

// sameOrder fails the test when two clients saw other messages, or in another order.
func sameOrder(t testing.TB, who string, got []said, reference string, want []said) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("%s saw %d messages, %s %d; the first that is missing is %q", who, len(got), reference, len(want), want[i].text)
			return
		case i >= len(want):
			t.Errorf("%s saw %d messages, %s %d; the first that is too much is %q", who, len(got), reference, len(want), got[i].text)
			return
		case got[i].text != want[i].text || got[i].nick != want[i].nick:
			t.Errorf("message %d: %s saw %s: %q, %s saw %s: %q", i+1, who, got[i].nick, got[i].text, reference, want[i].nick, want[i].text)
			return
		case got[i].id != "" && want[i].id != "" && got[i].id != want[i].id:
			t.Errorf("message %d (%q): %s saw id %s, %s %s", i+1, got[i].text, who, got[i].id, reference, want[i].id)
			return
		}
	}
}

// onceInOrder fails the test unless the texts come exactly once each, in this order, among what was seen.
func onceInOrder(t testing.TB, who string, got []said, want []string) {
	t.Helper()
	at := map[string]int{}
	for i, m := range got {
		if first, double := at[m.text]; double {
			t.Errorf("%s saw %q twice: as message %d and %d", who, m.text, first+1, i+1)
		}
		at[m.text] = i
	}
	last := -1
	for _, text := range want {
		i, ok := at[text]
		if !ok {
			t.Errorf("%s did not see %q, which was acknowledged", who, text)
			continue
		}
		if i < last {
			t.Errorf("%s saw %q too early: swapped", who, text)
		}
		last = i
	}
}
