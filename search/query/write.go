package query

import (
	"strings"
	"unicode"
)

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
