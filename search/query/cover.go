package query

import (
	"errors"
	"slices"
)

// Positive returns the tags to ask for on the tag topics: whatever matches the expression holds at least one of them. They
// are sorted and distinct. It returns nil when there is no such set: NOT x, kind:room, x OR kind:room.
func (e Expr) Positive() []string {
	return e.PositiveBy(func(string) int { return 1 })
}

// PositiveBy is [Expr.Positive] for who knows what each tag costs, say the number of things that hold it: of the sets that
// would do, it returns one with the least sum. Costs are not negative.
func (e Expr) PositiveBy(cost func(tag string) int) []string {
	if e.root == nil {
		return nil
	}
	c := cover{cost: cost}
	tags, ok := c.find(e.root, false)
	if !ok {
		return nil
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

type cover struct{ cost func(string) int }

// find returns a set of tags of which every match of n (of NOT n when negated) holds one.
func (c cover) find(n *node, negated bool) ([]string, bool) {
	switch n.op {
	case opNot:
		return c.find(n.kids[0], !negated)
	case opTerm:
		if negated || n.field != fieldTag {
			return nil, false
		}
		return []string{n.value}, true
	}
	if (n.op == opAnd) != negated {
		return c.cheapest(n.kids, negated)
	}
	var all []string
	for _, k := range n.kids {
		tags, ok := c.find(k, negated)
		if !ok {
			return nil, false
		}
		all = append(all, tags...)
	}
	return all, true
}

// cheapest picks, of children that must all hold, the one whose tags cost least; the first of equals.
func (c cover) cheapest(kids []*node, negated bool) ([]string, bool) {
	var best []string
	least, found := 0, false
	for _, k := range kids {
		tags, ok := c.find(k, negated)
		if !ok {
			continue
		}
		sum := 0
		for _, t := range tags {
			sum += c.cost(t)
		}
		if !found || sum < least {
			best, least, found = tags, sum, true
		}
	}
	return best, found
}

// CheckAskable returns an error when the expression cannot be asked for in the network because [Expr.Positive] is nil.
func (e Expr) CheckAskable() error {
	if e.Positive() == nil {
		return errors.New("query: needs at least one tag that is not negated, as in: physics -draft")
	}
	return nil
}
