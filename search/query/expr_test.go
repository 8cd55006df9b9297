package query

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var equalExprs = cmp.AllowUnexported(Expr{}, node{})

// genNode draws an expression of at most the given depth over few values, so that matches are frequent.
func genNode(t *rapid.T, depth int) *node {
	o := opTerm
	if depth > 0 {
		o = rapid.SampledFrom([]op{opTerm, opAnd, opOr, opNot}).Draw(t, "op")
	}
	switch o {
	case opNot:
		return makeNot(genNode(t, depth-1))
	case opAnd, opOr:
		kids := make([]*node, rapid.IntRange(2, 3).Draw(t, "kids"))
		for i := range kids {
			kids[i] = genNode(t, depth-1)
		}
		return makeList(o, kids)
	}
	f := rapid.SampledFrom([]field{fieldTag, fieldTag, fieldTag, fieldKind, fieldOwner, fieldRoom, fieldName}).Draw(t, "field")
	return makeTerm(f, rapid.SampledFrom(map[field][]string{
		fieldTag:   genTags,
		fieldKind:  Kinds(),
		fieldOwner: {"alice", "bob", "a*"},
		fieldRoom:  {"#physics", "#physics*", "*lab"},
		fieldName:  {"notes", "my notes", `say "hi"`, "*o*", "*"},
	}[f]).Draw(t, "value"))
}

var genTags = []string{"a", "b", "c", "ground floor", "-x", "or", `q"uo\te`, "c*", "k:v", "(p)"}

func genExpr(t *rapid.T) Expr { return Expr{root: genNode(t, 3)} }

func genItem(t *rapid.T) Item {
	return Item{
		Room:  rapid.SampledFrom([]string{"#Physics", "#physics.lab", "#Chess"}).Draw(t, "room"),
		ID:    "1",
		Kind:  rapid.SampledFrom(Kinds()).Draw(t, "kind"),
		Name:  rapid.SampledFrom([]string{"Notes", "My  notes", `say "hi"`, ""}).Draw(t, "name"),
		Owner: rapid.SampledFrom([]string{"Alice", "bob", "", "\xff"}).Draw(t, "owner"),
		Tags:  rapid.SliceOfNDistinct(rapid.SampledFrom(genTags), 0, 5, rapid.ID[string]).Draw(t, "tags"),
	}
}

func TestParseUndoesString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := genExpr(t)
		got, err := Parse(e.String())
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		if diff := cmp.Diff(got, e, equalExprs); diff != "" {
			t.Fatalf("%s: %s", e, diff)
		}
	})
}

func TestDeMorgan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, it := genExpr(t).String(), genExpr(t).String(), genItem(t)
		same := func(left, right string) {
			l, err := Parse(left)
			if err != nil {
				t.Fatalf("%s: %v", left, err)
			}
			r, err := Parse(right)
			if err != nil {
				t.Fatalf("%s: %v", right, err)
			}
			if l.Match(it) != r.Match(it) {
				t.Fatalf("%s and %s differ on %+v", l, r, it)
			}
		}
		same("NOT (("+a+") AND ("+b+"))", "(NOT ("+a+")) OR (NOT ("+b+"))")
		same("NOT (("+a+") OR ("+b+"))", "(NOT ("+a+")) AND (NOT ("+b+"))")
		same("-(-("+a+"))", a)
	})
}

func TestPositiveCoversEveryMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, it := genExpr(t), genItem(t)
		cost := func(tag string) int { return len(tag) % 3 }
		for _, tags := range [][]string{e.Positive(), e.PositiveBy(cost)} {
			if (tags == nil) != (e.CheckAskable() != nil) {
				t.Fatalf("%s: tags %q, CheckAskable %v", e, tags, e.CheckAskable())
			}
			if tags == nil || !e.Match(it) {
				continue
			}
			if !slices.ContainsFunc(it.Tags, func(tag string) bool { return slices.Contains(tags, tag) }) {
				t.Fatalf("%s matches %q, but asks for %q", e, it.Tags, tags)
			}
		}
	})
}

func TestPositive(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"a", []string{"a"}},
		{"a b", []string{"a"}},
		{"b OR a OR b", []string{"a", "b"}},
		{"(a OR b) c", []string{"c"}},
		{"a -b kind:room", []string{"a"}},
		{"-(-a OR b)", []string{"a"}},
		{"-(-a -b)", []string{"a", "b"}},
		{"-a", nil},
		{"a OR -b", nil},
		{"a OR kind:room", nil},
		{"owner:alice", nil},
	} {
		e, err := Parse(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Positive(); !slices.Equal(got, tt.want) || (got == nil) != (tt.want == nil) {
			t.Errorf("%s: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestMatch(t *testing.T) {
	item := Item{Room: "#Physics.Lab", ID: "7", Kind: "document", Name: "Ohm’s Law", Owner: "Alice", Tags: []string{"physics", "ground floor"}}
	for in, want := range map[string]bool{
		"physics":               true,
		"PHYSICS":               true,
		"physic":                false,
		`"Ground Floor" -draft`: true,
		"kind:exit":             false,
		"kind:document":         true,
		"owner:alice":           true,
		"owner:al":              false,
		"owner:a*e":             true,
		"room:#physics*":        true,
		"room:#physics":         false,
		"room:*lab":             true,
		"name:*law":             true,
		"name:ohm’s*":           true,
		"chess OR physics":      true,
		"chess OR NOT physics":  false,
	} {
		e, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Match(item); got != want {
			t.Errorf("%s: got %v, want %v", in, got, want)
		}
	}
	if (Expr{}).Match(item) || (Expr{}).String() != "" || (Expr{}).CheckAskable() == nil {
		t.Error("the zero expression matches something")
	}
}

func TestGlobAgreesWithAModel(t *testing.T) {
	var model func(p, s string) bool
	model = func(p, s string) bool {
		switch {
		case p == "":
			return s == ""
		case p[0] == '*':
			return model(p[1:], s) || s != "" && model(p, s[1:])
		}
		return s != "" && s[0] == p[0] && model(p[1:], s[1:])
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringMatching(`[ab*]{0,8}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[ab]{0,10}`).Draw(t, "s")
		if got, want := glob(p, s), model(p, s); got != want {
			t.Fatalf("glob(%q, %q) = %v, want %v", p, s, got, want)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(`(physics OR chemistry) -draft kind:document room:#school* "ground floor"`); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatchTheWorstGlob(b *testing.B) {
	e, err := Parse("name:" + strings.Repeat("a*", 400) + "b")
	if err != nil {
		b.Fatal(err)
	}
	it := Item{Name: strings.Repeat("a", 1000)}
	for b.Loop() {
		e.Match(it)
	}
}
