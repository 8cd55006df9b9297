package perms

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestACLChangesLeaveTheOldListAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genACL().Draw(t, "acl")
		before := slices.Clone(a)
		who, r := genPrincipal().Draw(t, "who"), genRights().Draw(t, "rights")
		for name, b := range map[string]ACL{"grant": a.Grant(who, r), "deny": a.Deny(who, r), "forget": a.Forget(who, r)} {
			if !slices.Equal(a, before) {
				t.Fatalf("%s changed the list it was asked of", name)
			}
			if !slices.IsSortedFunc(b, func(x, y Entry) int {
				if x.Who < y.Who {
					return -1
				}
				return 1
			}) {
				t.Errorf("%s: not sorted by distinct principals: %v", name, b)
			}
			if e := b.Get(who); name == "grant" && (!e.Allow.Has(r) || e.Deny&r != 0) || name == "deny" && (!e.Deny.Has(r) || e.Allow&r != 0) ||
				name == "forget" && (e.Allow|e.Deny)&r != 0 {
				t.Errorf("%s %s: got %v", name, r, e)
			}
			if slices.ContainsFunc(b, func(e Entry) bool { return e.Allow|e.Deny == 0 }) {
				t.Errorf("%s leaves an entry that says nothing", name)
			}
		}
	})
}

func TestParseRights(t *testing.T) {
	tests := map[string]struct {
		in   string
		want Rights
		ok   bool
	}{
		"one":                {"say", Say, true},
		"two with a comma":   {"say,enter", Say | Enter, true},
		"spaces and capital": {" Say  ENTER ", Say | Enter, true},
		"all":                {"all", All, true},
		"nothing":            {"", 0, true},
		"an unknown one":     {"say,fly", 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseRights(tt.in); got != tt.want || (err == nil) != tt.ok {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		r := genRights().Draw(t, "rights")
		if r == 0 {
			return
		}
		if got, err := ParseRights(r.String()); err != nil || got != r {
			t.Errorf("got %v, %v, want %v", got, err, r)
		}
	})
	if got := Rights(0).String(); got != "none" {
		t.Errorf("the empty set reads %q", got)
	}
}

func group(name string) Principal { return Principal("@" + name) }

func TestPrincipalsSayWhatTheyAre(t *testing.T) {
	for p, want := range map[Principal][5]bool{ // account, group, guest, node, and shown as itself
		"alice":           {true, false, false, false, true},
		group("wizards"):  {false, true, false, false, true},
		Guest("bob", "n"): {false, false, true, false, false},
		Node("n"):         {false, false, false, true, true},
		Everyone:          {false, false, false, false, true},
		Registered:        {false, false, false, false, true},
		"":                {false, false, false, false, true},
		"@":               {false, false, false, false, true},
	} {
		if got := [5]bool{p.IsAccount(), p.IsGroup(), p.IsGuest(), p.IsNode(), p.Display() == string(p)}; got != want {
			t.Errorf("%q: got %v, want %v", p, got, want)
		}
	}
	if got := Guest("a~b", "node").Display(); got != "a~b" {
		t.Errorf("a guest whose nick has a tilde is shown as %q", got)
	}
}
