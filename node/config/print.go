package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// commentWidth is where comments are wrapped, in bytes.
const commentWidth = 100

// Example returns a file with every key, its meaning and its default. Loading it is the same as loading an empty file.
func Example() string {
	var b strings.Builder
	wrap(&b, "The configuration of a Warren node. Every key is here with its default; a file of yours needs only what differs. "+
		"Relative paths are relative to the folder of the file.")
	c := Default("")
	printKeys(&b, c, func(entry) bool { return true })
	return b.String()
}

// Write makes or replaces the file at path, so that [Load] gives this configuration: it states what differs from the
// defaults, with comments. Paths below the folder of the file are written relative to it, so the folder can be moved. The
// file is readable for its owner only, since it may hold passwords, and is replaced as a whole or not at all.
func Write(path string, c Config) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("config: write %s: %w", path, err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("config: write: %w", err)
	}
	text, err := render(abs, c)
	if err != nil {
		return fmt.Errorf("config: write %s: %w", path, err)
	}
	if err := replace(abs, []byte(text)); err != nil {
		return fmt.Errorf("config: write %s: %w", path, err)
	}
	return nil
}

// render returns the text of the file at abs.
func render(abs string, c Config) (string, error) {
	base := Default("")
	if beside, err := dataBeside(abs); err == nil && beside == c.Node.Data {
		base.Node.Data = beside
	}
	shown := c
	shown.mapPaths(func(p string) string { return relative(filepath.Dir(abs), p) })
	base.mapPaths(func(p string) string { return relative(filepath.Dir(abs), p) })
	now, then := reflect.ValueOf(shown), reflect.ValueOf(base)
	var b strings.Builder
	wrap(&b, "The configuration of a Warren node: what differs from the defaults. All keys: warren config example")
	printKeys(&b, shown, func(e entry) bool {
		return literal(now.FieldByIndex(e.index)) != literal(then.FieldByIndex(e.index))
	})
	if b.Len() > maxFile {
		return "", errors.New("longer than 1 MiB")
	}
	return b.String(), nil
}

// relative shortens a path that is in dir.
func relative(dir, p string) string {
	rel, err := filepath.Rel(dir, p)
	if p == "" || err != nil || !filepath.IsLocal(rel) {
		return p
	}
	return rel
}

// printKeys writes the keys that are wanted under their sections.
func printKeys(b *strings.Builder, c Config, want func(entry) bool) {
	v := reflect.ValueOf(c)
	var section entry
	printed := ""
	for _, e := range schema() {
		switch {
		case e.kind == kindTable:
			section = e
			continue
		case e.index == nil || !want(e):
			continue
		}
		if printed != section.path {
			printed = section.path
			b.WriteString("\n")
			wrap(b, section.comment)
			fmt.Fprintf(b, "[%s]\n", section.path)
		}
		b.WriteString("\n")
		wrap(b, e.comment)
		fmt.Fprintf(b, "%s = %s\n", e.name, literal(v.FieldByIndex(e.index)))
	}
}

// literal writes a value in TOML.
func literal(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Duration:
		return quote(x.String())
	case Size:
		return quote(x.String())
	case []Oper:
		items := make([]string, len(x))
		for i, o := range x {
			items[i] = "{name = " + quote(o.Name) + ", password = " + quote(o.Password) + "}"
		}
		return "[" + strings.Join(items, ", ") + "]"
	case []string:
		items := make([]string, len(x))
		for i, s := range x {
			items[i] = quote(s)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	default:
		return quote(v.String())
	}
}

// quote writes a TOML basic string (TOML 1.0, section String).
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// wrap writes text as comment lines of at most commentWidth bytes.
func wrap(b *strings.Builder, text string) {
	line := "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > commentWidth && line != "#" {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// replace writes a file beside path, syncs it and puts it in the place of path.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a renaming in the folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
