package xmpp

import (
	"strconv"
	"strings"

	formlib "mellium.im/xmpp/form"
)

// form builds a data form (XEP-0004).
type form struct {
	kind   string
	title  string
	fields []*element
}

func (f *form) field(kind formlib.FieldType, name, label string, values ...string) {
	e := el(nsForm, "field", at("var", name), at("type", string(kind)), at("label", label))
	for _, v := range values {
		e.with(el(nsForm, "value", v))
	}
	f.fields = append(f.fields, e)
}

func (f *form) hidden(name, value string) { f.field(formlib.TypeHidden, name, "", value) }

func (f *form) text(name, label, value string) { f.field(formlib.TypeText, name, label, value) }

func (f *form) flag(name, label string, v bool) {
	value := "0"
	if v {
		value = "1"
	}
	f.field(formlib.TypeBoolean, name, label, value)
}

func (f *form) element() *element {
	e := el(nsForm, "x", at("type", f.kind))
	if f.title != "" {
		e.with(el(nsForm, "title", f.title))
	}
	return e.with(f.fields)
}

// formValues returns the first value of each field of a submitted form.
func formValues(x *element) map[string]string {
	m := map[string]string{}
	for _, f := range x.children() {
		if f.is(nsForm, "field") && f.attr("var") != "" {
			m[f.attr("var")] = f.childText(nsForm, "value")
		}
	}
	return m
}

// truth reads a boolean of a form.
func truth(s string) bool {
	s = strings.TrimSpace(s)
	return s == "1" || strings.EqualFold(s, "true")
}

func itoa(n int) string { return strconv.Itoa(n) }
