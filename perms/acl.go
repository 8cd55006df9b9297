package perms

import "slices"

// Limits of a list that travels and lies in every replica.
const (
	MaxEntries   = 512 // entries of one ACL: a class or a company department, not a city
	MaxSanctions = 512 // sanctions of one room
)

// Entry gives and denies rights to one principal.
type Entry struct {
	_     struct{} `cbor:",toarray"`
	Who   Principal
	Allow Rights
	Deny  Rights
}

// ACL is a list of entries, at most one a principal, sorted by principal. The zero value says nothing: everything is inherited.
type ACL []Entry

// Get returns the entry of who, empty when there is none.
func (a ACL) Get(who Principal) Entry {
	for _, e := range a {
		if e.Who == who {
			return e
		}
	}
	return Entry{Who: who}
}

// With returns a copy of a in which the entry of e.Who is e; an entry that neither allows nor denies is dropped.
func (a ACL) With(e Entry) ACL {
	out := make(ACL, 0, len(a)+1)
	for _, old := range a {
		if old.Who != e.Who {
			out = append(out, old)
		}
	}
	if e.Allow|e.Deny != 0 {
		out = append(out, e)
	}
	slices.SortFunc(out, func(x, y Entry) int {
		switch {
		case x.Who < y.Who:
			return -1
		case x.Who > y.Who:
			return 1
		}
		return 0
	})
	return out
}

// Grant returns a with r allowed to who (and no longer denied).
func (a ACL) Grant(who Principal, r Rights) ACL {
	e := a.Get(who)
	e.Allow, e.Deny = e.Allow|r, e.Deny&^r
	return a.With(e)
}

// Forget returns a in which who's entry no longer speaks of r: neither allowed nor denied.
func (a ACL) Forget(who Principal, r Rights) ACL {
	e := a.Get(who)
	e.Allow, e.Deny = e.Allow&^r, e.Deny&^r
	return a.With(e)
}

// Deny returns a with r denied to who (and no longer allowed).
func (a ACL) Deny(who Principal, r Rights) ACL {
	e := a.Get(who)
	e.Allow, e.Deny = e.Allow&^r, e.Deny|r
	return a.With(e)
}

// Penalty is one sanction: it takes rights from one principal, or from everyone whose mask fits, for a time.
type Penalty struct {
	_      struct{}  `cbor:",toarray"`
	Who    Principal // the principal, or empty when Mask says who
	Mask   string    // nick!user@host with * and ?, ASCII case ignored; empty when Who says who
	Denies Rights    // usually Enter|Say
	Until  int64     // ms since the Unix epoch, exclusive; 0: until lifted
	By     Principal
	Time   int64 // ms, when it was laid
	Reason string
}

// Active reports whether the sanction is in force at now (ms).
func (s Penalty) Active(now int64) bool { return s.Until == 0 || now < s.Until }
