package config

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Error is a fault in a configuration, told in one line.
type Error struct {
	// File is the file's name; empty when the fault is in a Config that was not loaded.
	File string
	// Line and Column count from 1, columns in characters; 0 means that the place is not known.
	Line, Column int
	// Key is the full name of the key, such as irc.listen; empty for a fault of syntax.
	Key string
	// Problem is what is wrong and what was expected.
	Problem string
}

// Error returns file:line:column: key: problem, without what is not known.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// checker walks over the syntax tree of a file and holds each key against the schema, which finds unknown keys and wrong
// types with their place. What it lets through, the decoder reads.
type checker struct {
	file   string
	parser unstable.Parser
	data   []byte
	schema []entry
	places map[string]int // offset of the first mention of a key
}

// check returns the first fault of the file that is not one of syntax.
func (c *checker) check() error {
	c.places = map[string]int{}
	c.parser.Reset(c.data)
	prefix := ""
	for c.parser.NextExpression() {
		node := c.parser.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			path, at, err := c.key(node, "")
			if err != nil {
				return err
			}
			want := kindTable
			if node.Kind == unstable.ArrayTable {
				want = kindTables
			}
			if e, _ := find(c.schema, path); e.kind != want {
				return c.fault(at, path, "expected "+e.kind.expected())
			}
			prefix = path
		case unstable.KeyValue:
			if err := c.keyValue(node, prefix); err != nil {
				return err
			}
		}
	}
	return nil // errors of syntax are the decoder's to tell
}

// key reads the (dotted) key of a node below prefix, and checks that each step exists.
func (c *checker) key(node *unstable.Node, prefix string) (path string, at int, err error) {
	path, at = prefix, -1
	for it := node.Key(); it.Next(); {
		offset := int(it.Node().Raw.Offset)
		if at < 0 {
			at = offset
		}
		parent := path
		name := string(it.Node().Data)
		path = strings.TrimPrefix(path+"."+name, ".")
		if strings.Contains(name, ".") {
			return path, at, c.fault(offset, clip(path), "there is no such key; did you mean it without the quotes?")
		}
		if _, ok := find(c.schema, path); !ok {
			return path, at, c.unknown(offset, parent, name)
		}
	}
	if _, ok := c.places[path]; !ok {
		c.places[path] = at
	}
	return path, at, nil
}

func (c *checker) keyValue(node *unstable.Node, prefix string) error {
	path, at, err := c.key(node, prefix)
	if err != nil {
		return err
	}
	e, _ := find(c.schema, path)
	ok, err := c.value(node.Value(), e)
	if err == nil && !ok {
		err = c.fault(at, path, "expected "+e.kind.expected())
	}
	return err
}

// value reports whether a value is of the entry's kind; err is a fault further inside.
func (c *checker) value(v *unstable.Node, e entry) (ok bool, err error) {
	switch e.kind {
	case kindString, kindDuration, kindSize:
		return v.Kind == unstable.String, nil
	case kindBool:
		return v.Kind == unstable.Bool, nil
	case kindInt:
		return v.Kind == unstable.Integer, nil
	case kindTable:
		return v.Kind == unstable.InlineTable, c.inline(v, e)
	}
	if v.Kind != unstable.Array {
		return false, nil
	}
	for it := v.Children(); it.Next(); {
		n := it.Node()
		switch {
		case n.Kind == unstable.Comment:
		case e.kind == kindStrings && n.Kind != unstable.String, e.kind == kindTables && n.Kind != unstable.InlineTable:
			return false, nil
		case e.kind == kindTables:
			if err := c.inline(n, e); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// inline checks the keys of { key = value }.
func (c *checker) inline(v *unstable.Node, e entry) error {
	if v.Kind != unstable.InlineTable {
		return nil
	}
	for it := v.Children(); it.Next(); {
		if it.Node().Kind != unstable.KeyValue {
			continue
		}
		if err := c.keyValue(it.Node(), e.path); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) unknown(offset int, parent, name string) error {
	what := "there is no such key"
	if parent == "" {
		what = "there is no such section"
	}
	if hint := suggest(c.schema, parent, name); hint != "" {
		what += "; did you mean " + hint + "?"
	}
	return c.fault(offset, strings.TrimPrefix(parent+"."+clip(name), "."), what)
}

func (c *checker) fault(offset int, key, problem string) error {
	line, column := place(c.data, offset)
	return &Error{File: c.file, Line: line, Column: column, Key: oneLine(key), Problem: problem}
}

// place turns an offset into line and column.
func place(data []byte, offset int) (line, column int) {
	before := data[:min(max(offset, 0), len(data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}

// oneLine replaces what would break a line of output.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
