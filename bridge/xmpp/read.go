package xmpp

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// streamFault is a reason to end the stream, by its condition of RFC 6120 §4.9.3.
type streamFault struct {
	condition string
	text      string
}

func (f streamFault) Error() string { return "stream: " + f.condition + ": " + f.text }

func fault(condition, format string, args ...any) error {
	return streamFault{condition, fmt.Sprintf(format, args...)}
}

var errTooBig = errors.New("element too large")

// errStreamEnd is what the client's </stream:stream> gives.
var errStreamEnd = errors.New("stream closed by the client")

// meter is a byte reader that refuses to give more than left bytes; it holds no more than one buffer of its own.
type meter struct {
	r    io.Reader
	buf  []byte
	at   int
	end  int
	left int
}

func (m *meter) ReadByte() (byte, error) {
	if m.left <= 0 {
		return 0, errTooBig
	}
	if m.at == m.end {
		if err := m.fill(); err != nil {
			return 0, err
		}
	}
	m.left--
	c := m.buf[m.at]
	m.at++
	return c, nil
}

func (m *meter) fill() error {
	for range 100 {
		n, err := m.r.Read(m.buf)
		m.at, m.end = 0, n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// skipSpace skips white space and reports whether '<' is next. It must be called between elements only, when the decoder holds no byte back.
func (m *meter) skipSpace() (bool, error) {
	for {
		for ; m.at < m.end; m.at++ {
			switch m.buf[m.at] {
			case ' ', '\t', '\r', '\n':
			default:
				return m.buf[m.at] == '<', nil
			}
		}
		if err := m.fill(); err != nil {
			return false, err
		}
	}
}

// Read is for the io.Reader that encoding/xml asks for; it uses ReadByte alone.
func (m *meter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c, err := m.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = c
	return 1, nil
}

// reader reads one stream: the header, then one element after the other. Namespaces are resolved here, strictly (Namespaces in XML 1.0 §6):
// a prefix that nobody declared ends the stream.
type reader struct {
	m     *meter
	d     *xml.Decoder
	limit int
	scope []binding
	root  string // the header's name as written
}

// binding is one declaration in force.
type binding struct{ prefix, space string }

func newReader(r io.Reader, limit int) *reader {
	m := &meter{r: r, buf: make([]byte, 4<<10), left: limit}
	d := xml.NewDecoder(m)
	d.Strict = true
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) {
		return nil, fault("unsupported-encoding", "the stream must be UTF-8")
	}
	return &reader{m: m, d: d, limit: limit}
}

// token reads one raw token and refuses what RFC 6120 §11.1 forbids.
func (r *reader) token(first bool) (xml.Token, error) {
	t, err := r.d.RawToken()
	if err != nil {
		return nil, asFault(err)
	}
	switch t := t.(type) {
	case xml.Comment:
		return nil, fault("restricted-xml", "comments are not allowed")
	case xml.Directive:
		return nil, fault("restricted-xml", "document type declarations are not allowed")
	case xml.ProcInst:
		if !first || t.Target != "xml" {
			return nil, fault("restricted-xml", "processing instructions are not allowed")
		}
	}
	return t, nil
}

func asFault(err error) error {
	var syntax *xml.SyntaxError
	var f streamFault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, errTooBig):
		return fault("policy-violation", "the element is too large")
	case errors.As(err, &syntax):
		if syntax.Msg == "unexpected EOF" {
			return io.ErrUnexpectedEOF
		}
		if strings.Contains(syntax.Msg, "entity") {
			return fault("restricted-xml", "entities are not allowed")
		}
		return fault("not-well-formed", "%s", syntax.Msg)
	}
	return err
}

// header reads the stream's start tag.
func (r *reader) header() (*element, error) {
	for first := true; ; first = false {
		tag, err := r.m.skipSpace() // a client's line end after its last element of the stream before
		if err != nil {
			return nil, err
		}
		if !tag {
			return nil, fault("not-well-formed", "a stream begins with a tag")
		}
		r.m.left = r.limit
		t, err := r.token(first)
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			nodes := 0
			e, err := r.start(t, &nodes)
			if err != nil {
				return nil, err
			}
			r.root = qname(t.Name)
			return e, nil
		case xml.EndElement:
			return nil, fault("not-well-formed", "an end tag before the stream")
		}
	}
}

// next reads the next element of the stream. White space between elements keeps a connection alive and is skipped without being kept.
func (r *reader) next() (*element, error) {
	depth := len(r.scope)
	tag, err := r.m.skipSpace()
	if err != nil {
		return nil, err
	}
	if !tag {
		return nil, fault("bad-format", "text between stanzas")
	}
	r.m.left = r.limit
	t, err := r.token(false)
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case xml.StartElement:
		e, err := r.element(t)
		r.scope = r.scope[:depth]
		return e, err
	case xml.EndElement:
		if qname(t.Name) != r.root {
			return nil, fault("not-well-formed", "an end tag that nothing opened")
		}
		return nil, errStreamEnd
	}
	return nil, fault("bad-format", "text between stanzas") // a CDATA section
}

type open struct {
	e     *element
	name  string
	scope int
}

// element reads the rest of the element that t starts.
func (r *reader) element(t xml.StartElement) (*element, error) {
	var stack []open
	nodes := 0
	push := func(t xml.StartElement) error {
		scope := len(r.scope)
		e, err := r.start(t, &nodes)
		if err != nil {
			return err
		}
		if len(stack) >= maxDepth {
			return fault("policy-violation", "elements are nested too deep")
		}
		if len(stack) > 0 {
			top := stack[len(stack)-1].e
			top.Kids = append(top.Kids, node{el: e})
		}
		stack = append(stack, open{e, qname(t.Name), scope})
		return nil
	}
	if err := push(t); err != nil {
		return nil, err
	}
	for {
		t, err := r.token(false)
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if err := push(t); err != nil {
				return nil, err
			}
		case xml.CharData:
			top := stack[len(stack)-1].e
			if n := len(top.Kids); n > 0 && top.Kids[n-1].el == nil {
				top.Kids[n-1].text += string(t)
			} else if len(t) > 0 {
				top.Kids = append(top.Kids, node{text: string(t)})
			}
			if nodes++; nodes > maxNodes {
				return nil, fault("policy-violation", "the element has too many parts")
			}
		case xml.EndElement:
			top := stack[len(stack)-1]
			if qname(t.Name) != top.name {
				return nil, fault("not-well-formed", "mismatched end tag")
			}
			r.scope = r.scope[:top.scope]
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				return top.e, nil
			}
		}
	}
}

// start resolves the names of a start tag.
func (r *reader) start(t xml.StartElement, nodes *int) (*element, error) {
	if *nodes += 1 + len(t.Attr); *nodes > maxNodes {
		return nil, fault("policy-violation", "the element has too many parts")
	}
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			r.scope = append(r.scope, binding{"", a.Value})
		case a.Name.Space == "xmlns":
			if a.Value == "" || a.Name.Local == "xmlns" {
				return nil, fault("bad-namespace-prefix", "an empty or reserved prefix")
			}
			r.scope = append(r.scope, binding{a.Name.Local, a.Value})
		}
	}
	e := &element{}
	var ok bool
	if e.Name, ok = r.resolve(t.Name, true); !ok {
		return nil, fault("bad-namespace-prefix", "prefix %q is not declared", t.Name.Space)
	}
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		name, ok := r.resolve(a.Name, false)
		if !ok {
			return nil, fault("bad-namespace-prefix", "prefix %q is not declared", a.Name.Space)
		}
		for _, o := range e.Attr {
			if o.Name == name {
				return nil, fault("not-well-formed", "an attribute is there twice")
			}
		}
		e.Attr = append(e.Attr, xml.Attr{Name: name, Value: a.Value})
	}
	return e, nil
}

func (r *reader) resolve(n xml.Name, isElement bool) (xml.Name, bool) {
	if n.Space == "xml" {
		return xml.Name{Space: nsXML, Local: n.Local}, true
	}
	if n.Space == "" && !isElement {
		return n, true
	}
	for i := len(r.scope) - 1; i >= 0; i-- {
		if r.scope[i].prefix == n.Space {
			return xml.Name{Space: r.scope[i].space, Local: n.Local}, true
		}
	}
	return xml.Name{Local: n.Local}, n.Space == ""
}

func qname(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// parseFragment reads elements that were stored as text; those it cannot read are left out.
func parseFragment(data []byte) []*element {
	if len(data) == 0 {
		return nil
	}
	r := newReader(strings.NewReader("<x xmlns='"+nsClient+"'>"+string(data)+"</x>"), len(data)+256)
	if _, err := r.header(); err != nil {
		return nil
	}
	var out []*element
	for {
		e, err := r.next()
		if err != nil {
			return out
		}
		out = append(out, e)
	}
}
