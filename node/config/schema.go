package config

import (
	"reflect"
	"strings"
)

// kind is what a key's value looks like in TOML.
type kind uint8

const (
	kindTable  kind = iota
	kindTables      // list of tables
	kindString
	kindStrings // list of strings
	kindBool
	kindInt
	kindDuration
	kindSize
)

// expected says what should have stood there, for an error.
func (k kind) expected() string {
	switch k {
	case kindTable:
		return "a section in [brackets]"
	case kindTables:
		return `a list of tables such as [{name = "..."}]`
	case kindString:
		return `a text in quotes`
	case kindStrings:
		return `a list of texts such as ["...", "..."]`
	case kindBool:
		return "true or false"
	case kindInt:
		return "a whole number"
	case kindDuration:
		return `a duration in quotes such as "250ms", "1s" or "2m"`
	default:
		return `a size in quotes such as "512B", "96KiB" or "1MiB"`
	}
}

// entry is one key of the file.
type entry struct {
	path    string // irc.tls_listen
	name    string // tls_listen
	parent  string // irc; "" for a section
	kind    kind
	comment string
	index   []int // of the field in Config, nil inside a list of tables
}

// schema lists all keys, sections before their keys, in the order of the struct.
func schema() []entry {
	return fields(reflect.TypeFor[Config](), "", nil)
}

func fields(t reflect.Type, parent string, index []int) []entry {
	var all []entry
	for i := range t.NumField() {
		f := t.Field(i)
		e := entry{name: f.Tag.Get("toml"), parent: parent, comment: f.Tag.Get("comment"), kind: kindOf(f.Type)}
		e.path = strings.TrimPrefix(parent+"."+e.name, ".")
		inList := parent != "" && index == nil
		if !inList {
			e.index = append(append([]int{}, index...), i)
		}
		all = append(all, e)
		switch e.kind {
		case kindTable:
			all = append(all, fields(f.Type, e.path, e.index)...)
		case kindTables:
			all = append(all, fields(f.Type.Elem(), e.path, nil)...)
		}
	}
	return all
}

func kindOf(t reflect.Type) kind {
	switch {
	case t == reflect.TypeFor[Duration]():
		return kindDuration
	case t == reflect.TypeFor[Size]():
		return kindSize
	}
	switch t.Kind() {
	case reflect.String:
		return kindString
	case reflect.Bool:
		return kindBool
	case reflect.Int:
		return kindInt
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return kindTables
		}
		return kindStrings
	default:
		return kindTable
	}
}

// find returns the entry of a path.
func find(all []entry, path string) (entry, bool) {
	for _, e := range all {
		if e.path == path {
			return e, true
		}
	}
	return entry{}, false
}
