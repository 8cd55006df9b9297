package xmpp

import (
	"encoding/xml"
	"strconv"
	"strings"
	"unicode/utf8"
)

// element is a piece of XML with resolved namespaces. Nobody changes one that others may see.
type element struct {
	Name xml.Name
	Attr []xml.Attr // without xmlns declarations
	Kids []node
}

// node is text or an element.
type node struct {
	text string
	el   *element
}

// el makes an element. Parts are attr values, strings (text), *element (nil ones are left out) and []*element.
func el(space, local string, parts ...any) *element {
	e := &element{Name: xml.Name{Space: space, Local: local}}
	return e.with(parts...)
}

type attr struct{ name, value string }

// at makes an attribute; one without a value is left out.
func at(name, value string) attr { return attr{name, value} }

// with appends parts and returns e.
func (e *element) with(parts ...any) *element {
	for _, p := range parts {
		switch p := p.(type) {
		case attr:
			if p.value != "" {
				e.Attr = append(e.Attr, xml.Attr{Name: xml.Name{Local: p.name}, Value: p.value})
			}
		case string:
			if p != "" {
				e.Kids = append(e.Kids, node{text: p})
			}
		case *element:
			if p != nil {
				e.Kids = append(e.Kids, node{el: p})
			}
		case []*element:
			for _, k := range p {
				e.with(k)
			}
		}
	}
	return e
}

// attr returns the value of an attribute without namespace, empty when there is none.
func (e *element) attr(local string) string {
	for _, a := range e.Attr {
		if a.Name.Space == "" && a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// is reports whether the element has this name.
func (e *element) is(space, local string) bool {
	return e != nil && e.Name.Local == local && e.Name.Space == space
}

// child returns the first child of this name, or nil; an empty local fits all. It may be called on nil.
func (e *element) child(space, local string) *element {
	if e == nil {
		return nil
	}
	for _, k := range e.Kids {
		if k.el != nil && k.el.Name.Space == space && (local == "" || k.el.Name.Local == local) {
			return k.el
		}
	}
	return nil
}

// children returns the child elements.
func (e *element) children() []*element {
	if e == nil {
		return nil
	}
	var out []*element
	for _, k := range e.Kids {
		if k.el != nil {
			out = append(out, k.el)
		}
	}
	return out
}

// text returns the text directly within the element. It may be called on nil.
func (e *element) text() string {
	if e == nil {
		return ""
	}
	if len(e.Kids) == 1 {
		return e.Kids[0].text
	}
	var b strings.Builder
	for _, k := range e.Kids {
		b.WriteString(k.text)
	}
	return b.String()
}

// childText returns the text of the first child of this name.
func (e *element) childText(space, local string) string { return e.child(space, local).text() }

// appendXML appends the element; ns is the default namespace in force where it is put.
func (e *element) appendXML(b []byte, ns string) []byte {
	b = e.appendOpen(b, ns)
	if len(e.Kids) == 0 {
		return append(b, '/', '>')
	}
	b = append(b, '>')
	for _, k := range e.Kids {
		if k.el != nil {
			b = k.el.appendXML(b, e.Name.Space)
		} else {
			b = appendEscaped(b, k.text)
		}
	}
	b = append(b, '<', '/')
	b = append(b, e.Name.Local...)
	return append(b, '>')
}

// appendOpen appends the start tag without its closing '>'.
func (e *element) appendOpen(b []byte, ns string) []byte {
	b = append(b, '<')
	b = append(b, e.Name.Local...)
	if e.Name.Space != ns {
		b = appendAttr(b, "xmlns", e.Name.Space)
	}
	for i, a := range e.Attr {
		switch a.Name.Space {
		case "":
			b = appendAttr(b, a.Name.Local, a.Value)
		case nsXML:
			b = appendAttr(b, "xml:"+a.Name.Local, a.Value)
		default:
			p := "n" + strconv.Itoa(i)
			b = appendAttr(b, "xmlns:"+p, a.Name.Space)
			b = appendAttr(b, p+":"+a.Name.Local, a.Value)
		}
	}
	return b
}

func appendAttr(b []byte, name, value string) []byte {
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, '=', '\'')
	b = appendEscaped(b, value)
	return append(b, '\'')
}

// appendEscaped appends text so that it can stand in content and in attributes. What XML 1.0 §2.2 forbids becomes U+FFFD.
func appendEscaped(b []byte, s string) []byte {
	last := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '<' && c != '>' && c != '&' && c != '\'' && c != '"' {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		var esc string
		switch {
		case r == '<':
			esc = "&lt;"
		case r == '>':
			esc = "&gt;"
		case r == '&':
			esc = "&amp;"
		case r == '\'':
			esc = "&#39;"
		case r == '"':
			esc = "&#34;"
		case r == '\t':
			esc = "&#9;"
		case r == '\n':
			esc = "&#10;"
		case r == '\r':
			esc = "&#13;"
		case r < ' ', r == 0xfffe, r == 0xffff, r == utf8.RuneError && n == 1:
			esc = "\ufffd"
		default:
			i += n
			continue
		}
		b = append(b, s[last:i]...)
		b = append(b, esc...)
		i += n
		last = i
	}
	return append(b, s[last:]...)
}

// bytes returns the element as a stanza of a client stream.
func (e *element) bytes() []byte { return e.appendXML(nil, nsClient) }
