package bridge

import (
	"testing"

	"warren/rooms"
	"warren/rooms/errs"
)

// Talk is announced again when a node comes near; who came meanwhile is shown it then, and nobody twice.
func TestEarlyKnowsWhoWasShownWhat(t *testing.T) {
	e := early[string]{}
	p := Provisional{Event: &rooms.Event{ID: rooms.Hash{1}}}
	hand := func(to ...string) (told []string) {
		d, shown := e.note(p)
		if withdrawn := p.Err != nil; (d.Kind == Withdrawn) != withdrawn || withdrawn != (d.Text != "") {
			t.Errorf("delivery %+v", d)
		}
		for _, who := range to {
			if _, saw := shown[who]; saw == (p.Err != nil) {
				told = append(told, who)
				if p.Err == nil {
					shown[who] = struct{}{}
				}
			}
		}
		return told
	}
	if got := hand("ann"); len(got) != 1 {
		t.Errorf("first: %v", got)
	}
	if got := hand("ann", "bob"); len(got) != 1 || got[0] != "bob" {
		t.Errorf("again: %v", got)
	}
	p.Err = errs.Closed
	if got := hand("ann", "bob", "eve"); len(got) != 2 || got[1] != "bob" {
		t.Errorf("withdrawn: %v", got)
	}
	if got := hand("ann"); len(got) != 0 || len(e) != 0 {
		t.Errorf("forgotten: %v, %v", got, e)
	}
}
