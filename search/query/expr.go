package query

import (
	"errors"
	"slices"
	"strings"
	"unicode"
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

// String writes the expression in its canonical form: no needless parentheses, AND as a space, NOT as '-', tags without
// `tag:`, values folded, quotes only where needed. Parsing it gives an equal expression, and its length is at most
// [MaxInput] bytes.
func (e Expr) String() string {
	if e.root == nil {
		return ""
	}
	var b strings.Builder
	e.root.write(&b, opOr)
	return b.String()
}

// write appends n. outer is the operator around it: opOr where anything may stand, else what needs parentheses.
func (n *node) write(b *strings.Builder, outer op) {
	paren := n.op == opOr && outer != opOr || n.op == opAnd && outer == opNot
	if paren {
		b.WriteByte('(')
	}
	switch n.op {
	case opTerm:
		if n.field != fieldTag {
			b.WriteString(fieldNames[n.field])
			b.WriteByte(':')
		}
		b.WriteString(quote(n.field, n.value))
	case opNot:
		b.WriteByte('-')
		n.kids[0].write(b, opNot)
	case opAnd, opOr:
		sep := " "
		if n.op == opOr {
			sep = " OR "
		}
		for i, k := range n.kids {
			if i > 0 {
				b.WriteString(sep)
			}
			k.write(b, n.op)
		}
	}
	if paren {
		b.WriteByte(')')
	}
}

// quote puts a value into quotes where it would be read as something else without.
func quote(f field, v string) string {
	bare := v != "" && !strings.ContainsFunc(v, func(r rune) bool {
		return unicode.IsSpace(r) || isQuote(r) || strings.ContainsRune(`()\`, r) || f == fieldTag && (r == ':' || r == '*')
	})
	if f == fieldTag && (v[0] == '-' || operator(v) != "") {
		bare = false
	}
	if bare {
		return v
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range v {
		if isQuote(r) || r == '\\' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}

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
