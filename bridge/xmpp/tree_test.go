package xmpp

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestWrittenElementsReadTheSame(t *testing.T) {
	text := rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return r >= ' ' && r != 0xfffe && r != 0xffff || r == '\n' || r == '\t' }))
	name := rapid.StringMatching(`[a-z][a-z0-9]{0,5}`)
	space := rapid.SampledFrom([]string{nsClient, "urn:a", "urn:b", "http://c?x=1&y='2'"})
	var gen func(depth int) *rapid.Generator[*element]
	gen = func(depth int) *rapid.Generator[*element] {
		return rapid.Custom(func(t *rapid.T) *element {
			e := el(space.Draw(t, "space"), name.Draw(t, "name"))
			for _, a := range rapid.SliceOfNDistinct(name, 0, 3, rapid.ID).Draw(t, "attrs") {
				x := xml.Attr{Name: xml.Name{Local: a}, Value: text.Draw(t, "value")}
				if rapid.Bool().Draw(t, "ns") {
					x.Name.Space = rapid.SampledFrom([]string{nsXML, "urn:attr"}).Draw(t, "attrns")
				}
				e.Attr = append(e.Attr, x)
			}
			for range rapid.IntRange(0, 3).Draw(t, "kids") {
				last := len(e.Kids) - 1
				if depth > 0 && rapid.Bool().Draw(t, "element") {
					e.with(gen(depth-1).Draw(t, "kid"))
				} else if last < 0 || e.Kids[last].el != nil {
					e.with(text.Draw(t, "text"))
				}
			}
			return e
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		e := gen(3).Draw(t, "element")
		b := e.bytes()
		got := parseFragment(b)
		if len(got) != 1 || !bytes.Equal(got[0].bytes(), b) {
			t.Fatalf("wrote %s, read %s", b, dump(got))
		}
		if s := splice(e); !bytes.Equal(append(append([]byte{}, s.head...), s.tail...), b) {
			t.Fatalf("spliced %s", b)
		}
	})
}

func TestForbiddenCharactersAreReplaced(t *testing.T) {
	for in, want := range map[string]string{"a\x00b": "a\ufffdb", "\x02bold": "\ufffdbold", "\xff": "\ufffd", "\ufffe": "\ufffd", "<&>'\"": "&lt;&amp;&gt;&#39;&#34;"} {
		if got := string(appendEscaped(nil, in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestClip(t *testing.T) {
	if got := clip(strings.Repeat("é", 10), 5); got != "éé" || !utf8.ValidString(got) {
		t.Errorf("got %q", got)
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{"<a/>", "<a xmlns='x'><b/>t</a>", "<a b='1' c:d='2' xmlns:c='y'/>", "<!DOCTYPE a>", "<a>&amp;&#1;&x;</a>", "<![CDATA[x]]>", "</stream:stream>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newReader(bytes.NewReader(append([]byte(header), data...)), 16<<10)
		if _, err := r.header(); err != nil {
			t.Fatalf("header: %v", err)
		}
		for {
			e, err := r.next()
			if err != nil {
				return
			}
			b := e.bytes()
			if again := parseFragment(b); len(again) != 1 || !bytes.Equal(again[0].bytes(), b) {
				t.Fatalf("read %s, and then %s", b, dump(again))
			}
		}
	})
}
