package perms

// Groups answers who belongs to a group, nested groups included. Implementations must be pure and free of cycles.
type Groups interface {
	// Member reports whether the account is in the group, directly or through other groups.
	Member(account, group string) bool
}

// Subject is the person (or node) that asks.
type Subject struct {
	Principal Principal
	Mask      string // nick!user@host as others see it; empty when not an occupant
}

// Query is one question: may the subject do what the right says?
type Query struct {
	Subject   Subject
	Right     Rights // exactly one right
	ACLs      []ACL  // nearest first: the object's, its room's, the room's environment's …
	Owner     Principal
	Sanctions []Penalty
	Now       int64 // ms since the Unix epoch, the time of the decision
	Groups    Groups
}

// Answer is yes or no, and why in words that people read.
type Answer struct {
	OK  bool
	Why string
}

// Decide answers a query. The rules, in order:
//
//  1. Who may manage may do everything (so a room cannot be taken from its managers by a sanction).
//  2. A sanction in force that denies the right is a no.
//  3. The owner of an object may read, annotate, write, delete and move it.
//  4. The nearest ACL that speaks of the right for the subject decides. Within one ACL the most specific kind of entry decides
//     (the principal itself, then its groups, then everyone registered, then everyone); where entries of one kind disagree, no wins.
//  5. What nobody speaks of is denied.
func Decide(q Query) Answer {
	if ok, spoken := inherited(q, Manage); spoken && ok {
		return Answer{true, "may manage"}
	}
	if s, hit := sanctioned(q); hit {
		why := "sanctioned by " + s.By.Display()
		if s.Reason != "" {
			why += ": " + s.Reason
		}
		return Answer{false, why}
	}
	if q.Owner != "" && q.Owner == q.Subject.Principal && (Read | Annotate | Write | Delete | Move).Has(q.Right) {
		return Answer{true, "owns it"}
	}
	ok, spoken := inherited(q, q.Right)
	switch {
	case !spoken:
		return Answer{false, "nobody gave the right to " + q.Right.String()}
	case ok:
		return Answer{true, "has the right to " + q.Right.String()}
	}
	return Answer{false, "the right to " + q.Right.String() + " is denied"}
}

func sanctioned(q Query) (Penalty, bool) {
	for _, s := range q.Sanctions {
		if s.Denies.Has(q.Right) && s.Active(q.Now) && s.hits(q.Subject) {
			return s, true
		}
	}
	return Penalty{}, false
}

func (s Penalty) hits(who Subject) bool {
	if s.Who != "" {
		return s.Who == who.Principal
	}
	return s.Mask != "" && who.Mask != "" && MatchMask(s.Mask, who.Mask)
}

// inherited walks the chain of ACLs; spoken is false when none of them says anything about the right.
func inherited(q Query, r Rights) (ok, spoken bool) {
	for _, a := range q.ACLs {
		if ok, spoken := a.judge(q.Subject.Principal, r, q.Groups); spoken {
			return ok, true
		}
	}
	return false, false
}

// judge answers from one ACL by the most specific kind of entry that speaks of r.
func (a ACL) judge(who Principal, r Rights, g Groups) (ok, spoken bool) {
	var allow, deny [4]bool
	for _, e := range a {
		level := e.Who.level(who, g)
		if level < 0 {
			continue
		}
		allow[level] = allow[level] || e.Allow.Has(r)
		deny[level] = deny[level] || e.Deny.Has(r)
	}
	for i := range allow {
		if deny[i] {
			return false, true
		}
		if allow[i] {
			return true, true
		}
	}
	return false, false
}

// level says how specifically entry speaks of who: 0 itself, 1 a group, 2 registered, 3 everyone, -1 not at all.
func (entry Principal) level(who Principal, g Groups) int {
	switch {
	case entry == who:
		return 0
	case entry.IsGroup():
		if who.IsAccount() && g != nil && g.Member(string(who), string(entry[1:])) {
			return 1
		}
	case entry == Registered:
		if who.IsAccount() {
			return 2
		}
	case entry == Everyone:
		return 3
	}
	return -1
}
