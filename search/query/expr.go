package query

import (
	"slices"
	"strings"
)

// Item is what an expression is held against: an object, a room or a member, as the indexes know it.
type Item struct {
	// Room is the name of the room that the thing is in, with its leading '#'.
	Room string
	// ID names the thing within its room.
	ID string
	// Kind is one of [Kinds].
	Kind string
	// Name is what people call it. Compared without case.
	Name string
	// Owner is the account that owns it, or a guest as nick~node. Compared without case.
	Owner string
	// Tags are its tags as [FoldTag] returns them, in any order. Compared byte by byte.
	Tags []string
}

// Kinds returns the kinds that `kind:` understands, in the order in which help and errors name them.
func Kinds() []string { return []string{"document", "exit", "room", "link", "member"} }

type op uint8

const (
	opTerm op = iota
	opAnd
	opOr
	opNot
)

type field uint8

const (
	fieldTag field = iota
	fieldKind
	fieldOwner
	fieldRoom
	fieldName
)

// fieldNames is indexed by field.
var fieldNames = [...]string{"tag", "kind", "owner", "room", "name"}

// Expr is a parsed query. The zero value matches nothing. An Expr is immutable and may be used by many goroutines.
type Expr struct{ root *node }

// node is one operator or term. Invariants, kept by the make functions: AND and OR have at least two children, none of the
// same operator; NOT has one child that is no NOT; a term's value is folded.
type node struct {
	op    op
	field field
	value string
	kids  []*node
}

func makeTerm(f field, value string) *node { return &node{op: opTerm, field: f, value: value} }

func makeNot(n *node) *node {
	if n.op == opNot {
		return n.kids[0]
	}
	return &node{op: opNot, kids: []*node{n}}
}

// makeList joins by AND or OR; lists of the same operator are dissolved into one.
func makeList(o op, kids []*node) *node {
	if len(kids) == 1 {
		return kids[0]
	}
	flat := make([]*node, 0, len(kids))
	for _, k := range kids {
		if k.op == o {
			flat = append(flat, k.kids...)
		} else {
			flat = append(flat, k)
		}
	}
	return &node{op: o, kids: flat}
}

// Match reports whether the item satisfies the expression.
func (e Expr) Match(it Item) bool {
	if e.root == nil {
		return false
	}
	m := matcher{item: it}
	return m.match(e.root)
}

// matcher folds the item's fields at most once, and only those that are asked for.
type matcher struct {
	item              Item
	owner, room, name *string
}

func (m *matcher) match(n *node) bool {
	switch n.op {
	case opAnd:
		for _, k := range n.kids {
			if !m.match(k) {
				return false
			}
		}
		return true
	case opOr:
		return slices.ContainsFunc(n.kids, m.match)
	case opNot:
		return !m.match(n.kids[0])
	}
	switch n.field {
	case fieldTag:
		return slices.Contains(m.item.Tags, n.value)
	case fieldKind:
		return m.item.Kind == n.value
	case fieldOwner:
		return glob(n.value, once(&m.owner, m.item.Owner))
	case fieldRoom:
		return glob(n.value, once(&m.room, m.item.Room))
	default:
		return glob(n.value, once(&m.name, m.item.Name))
	}
}

func once(cache **string, s string) string {
	if *cache == nil {
		folded := foldField(s)
		*cache = &folded
	}
	return **cache
}

// glob matches s against a pattern in which '*' stands for any run of characters. It takes at most len(pattern)*len(s)
// steps: only the last star is ever gone back to.
func glob(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
