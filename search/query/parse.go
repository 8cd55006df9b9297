package query

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Parse reads a query. Errors are *[SyntaxError]: one friendly line with the column. Input of more than [MaxInput] bytes,
// [MaxTerms] terms or [MaxNesting] levels is refused, so the work is bounded whoever sends it.
func Parse(input string) (Expr, error) {
	if len(input) > MaxInput {
		return Expr{}, &SyntaxError{Column: 1, Problem: "too long: a query has at most 1024 bytes"}
	}
	p := parser{lexer: lexer{in: input}}
	if !utf8.ValidString(input) {
		return Expr{}, p.fail(0, "expected text in UTF-8")
	}
	if err := p.advance(); err != nil {
		return Expr{}, err
	}
	root, err := p.or(0)
	if err != nil {
		return Expr{}, err
	}
	if p.tok.kind != tokEnd {
		return Expr{}, p.fail(p.tok.pos, `found ")" without a "(" before it`)
	}
	e := Expr{root: root}
	if len(e.String()) > MaxInput {
		return Expr{}, &SyntaxError{Column: 1, Problem: "too long: a query has at most 1024 bytes when its tags are folded"}
	}
	return e, nil
}

type parser struct {
	lexer
	tok   token // the one not yet consumed
	terms int
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

// or reads: and { "OR" and }.
func (p *parser) or(depth int) (*node, error) {
	first, err := p.and(depth)
	if err != nil {
		return nil, err
	}
	kids := []*node{first}
	for p.tok.kind == tokOr {
		if err := p.advance(); err != nil {
			return nil, err
		}
		k, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		kids = append(kids, k)
	}
	return makeList(opOr, kids), nil
}

// and reads: unary { [ "AND" ] unary }.
func (p *parser) and(depth int) (*node, error) {
	first, err := p.unary(depth)
	if err != nil {
		return nil, err
	}
	kids := []*node{first}
	for {
		switch p.tok.kind {
		case tokEnd, tokClose, tokOr:
			return makeList(opAnd, kids), nil
		case tokAnd:
			if err := p.advance(); err != nil {
				return nil, err
			}
		}
		k, err := p.unary(depth)
		if err != nil {
			return nil, err
		}
		kids = append(kids, k)
	}
}

// unary reads: ( "NOT" | "-" ) unary | "(" expr ")" | term.
func (p *parser) unary(depth int) (*node, error) {
	at := p.tok
	if depth >= MaxNesting && (at.kind == tokNot || at.kind == tokOpen) {
		return nil, p.fail(at.pos, "nested too deeply: at most %d levels", MaxNesting)
	}
	switch at.kind {
	case tokNot:
		if err := p.advance(); err != nil {
			return nil, err
		}
		n, err := p.unary(depth + 1)
		if err != nil {
			return nil, err
		}
		return makeNot(n), nil
	case tokOpen:
		return p.group(depth)
	case tokWord:
		n, err := p.term(at)
		if err != nil {
			return nil, err
		}
		return n, p.advance()
	case tokEnd:
		return nil, p.fail(at.pos, `expected a tag or "(", found the end`)
	default:
		return nil, p.fail(at.pos, `expected a tag or "(", found %s`, shown(at.text))
	}
}

func (p *parser) group(depth int) (*node, error) {
	open := p.tok
	if err := p.advance(); err != nil {
		return nil, err
	}
	n, err := p.or(depth + 1)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokClose {
		return nil, p.fail(open.pos, `expected a ")" to this "("`)
	}
	return n, p.advance()
}

// term checks and folds one field and value.
func (p *parser) term(t token) (*node, error) {
	if p.terms++; p.terms > MaxTerms {
		return nil, p.fail(t.pos, "too many terms: at most %d", MaxTerms)
	}
	f := fieldTag
	if t.field != "" {
		i := slices.Index(fieldNames[:], strings.ToLower(t.field))
		if i < 0 {
			return nil, p.fail(t.pos, `expected one of the fields tag, kind, owner, room, name, found %s (quote a tag that has a colon)`, shown(t.field))
		}
		f = field(i)
	}
	switch f {
	case fieldTag:
		if strings.Contains(t.value, "*") && !t.quoted {
			return nil, p.fail(t.pos, "a tag takes no *; name:, owner: and room: do (quote a tag that has one)")
		}
		tag, err := FoldTag(t.value)
		if err != nil {
			return nil, p.fail(t.pos, "%v", err)
		}
		return makeTerm(f, tag), nil
	case fieldKind:
		kind := strings.ToLower(t.value)
		if !slices.Contains(Kinds(), kind) {
			return nil, p.fail(t.pos, "expected one of the kinds %s, found %s", strings.Join(Kinds(), ", "), shown(t.value))
		}
		return makeTerm(f, kind), nil
	}
	value, err := foldText(t.value)
	if err != nil {
		return nil, p.fail(t.pos, "the value of %s: %v", fieldNames[f], err)
	}
	if value == "" {
		return nil, p.fail(t.pos, "expected a value after %s", shown(t.field+":"))
	}
	for strings.Contains(value, "**") {
		value = strings.ReplaceAll(value, "**", "*")
	}
	return makeTerm(f, value), nil
}
