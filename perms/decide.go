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
	Right     Rights // of several, all must be given; the empty set is given to managers only
	ACLs      []ACL  // nearest first: the object's, its room's, the room's environment's …
	Owner     Principal
	Sanctions []Penalty
	Now       int64 // ms since the Unix epoch, the time of the decision
	Groups    Groups
}

// Answer is yes or no, and why in words that people read: which rule decided, by whose entry or sanction.
type Answer struct {
	OK  bool
	Why string
}

// Decide answers a query. The rules, in order:
//
//  1. Who may manage may do everything (so a room cannot be taken from its managers by a sanction). Manage is given by any ACL of the chain,
//     and taken away only in the one that gives it: the owner of an object cannot lock out who manages the room it is in.
//  2. A sanction in force that denies the right is a no.
//  3. The owner of an object may read, annotate, write, delete and move it.
//  4. The nearest ACL that speaks of the right for the subject decides. Within one ACL the most specific kind of entry decides
//     (the principal itself, then its groups, then everyone registered, then everyone); where entries of one kind disagree, no wins.
//  5. What nobody speaks of is denied.
func Decide(q Query) Answer {
	if one := q.Right & -q.Right; one != q.Right { // more than one: each of them
		rest := q
		q.Right, rest.Right = one, q.Right&^one
		if a := Decide(q); !a.OK {
			return a
		}
		return Decide(rest)
	}
	for _, a := range q.ACLs {
		if by, ok := a.judge(q.Subject.Principal, Manage, q.Groups); by != "" && ok {
			return Answer{true, "may manage, " + by.as()}
		}
	}
	if s, hit := sanctioned(q); hit {
		return Answer{false, s.why()}
	}
	if q.Right == 0 {
		return Answer{false, "asked for no right"}
	}
	if q.Owner != "" && q.Owner == q.Subject.Principal && (Read | Annotate | Write | Delete | Move).Has(q.Right) {
		return Answer{true, "owns it"}
	}
	for _, a := range q.ACLs {
		switch by, ok := a.judge(q.Subject.Principal, q.Right, q.Groups); {
		case by == "":
		case ok:
			return Answer{true, "has the right to " + q.Right.String() + ", " + by.as()}
		default:
			return Answer{false, "the right to " + q.Right.String() + " is denied, " + by.as()}
		}
	}
	return Answer{false, "nobody gave the right to " + q.Right.String()}
}

// as says for whom the entry that decided was made.
func (p Principal) as() string {
	switch {
	case p == Everyone:
		return "as to everyone"
	case p == Registered:
		return "as to everyone with an account"
	case p.IsGroup():
		return "as to the group " + string(p[1:])
	}
	return "by name"
}

func sanctioned(q Query) (Penalty, bool) {
	for _, s := range q.Sanctions {
		if s.Denies.Has(q.Right) && s.Active(q.Now) && s.hits(q.Subject, q.Groups) {
			return s, true
		}
	}
	return Penalty{}, false
}

// hits reports whether the sanction is meant for who: by name, as one of a group, or by mask.
func (s Penalty) hits(who Subject, g Groups) bool {
	if s.Who != "" {
		return s.Who.level(who.Principal, g) >= 0
	}
	return s.Mask != "" && who.Mask != "" && MatchMask(s.Mask, who.Mask)
}

func (s Penalty) why() string {
	why := "sanctioned by " + s.By.Display()
	if s.Who == "" {
		why += " through " + s.Mask
	}
	if s.Reason != "" {
		why += ": " + s.Reason
	}
	return why
}

// judge answers from one ACL by the most specific kind of entry that speaks of r. by is the principal of the entry that decided (of several,
// the first by name), empty when none speaks.
func (a ACL) judge(who Principal, r Rights, g Groups) (by Principal, ok bool) {
	var allow, deny [4]Principal
	for _, e := range a {
		level := e.Who.level(who, g)
		if level < 0 {
			continue
		}
		if e.Allow.Has(r) && (allow[level] == "" || e.Who < allow[level]) {
			allow[level] = e.Who
		}
		if e.Deny.Has(r) && (deny[level] == "" || e.Who < deny[level]) {
			deny[level] = e.Who
		}
	}
	for i := range allow {
		if deny[i] != "" {
			return deny[i], false
		}
		if allow[i] != "" {
			return allow[i], true
		}
	}
	return "", false
}

// level says how specifically entry speaks of who: 0 itself, 1 a group, 2 registered, 3 everyone, -1 not at all.
func (entry Principal) level(who Principal, g Groups) int {
	switch {
	case entry == "" || who == "":
		return -1
	case entry == Everyone:
		return 3
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
	}
	return -1
}
