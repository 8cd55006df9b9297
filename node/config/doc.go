// Package config is a node's configuration: one commented struct, [Config], read from TOML.
//
// The struct is the only place where a key is declared: its `toml` tag is the key, its `comment` tag the text that
// [Example] prints above it, [Default] its default, [Config.Validate] its range. A file states only what differs.
// Reading is strict: unknown keys, wrong types and values out of range are errors of one line with file, line, column and
// key.
//
// The file is DIR/warren.toml ([FileName]) in the data directory DIR, or any other file. Relative paths in it are relative
// to the folder it lies in.
//
// Reading order: config.go, defaults.go, validate.go; load.go and check.go read, print.go writes. The package knows nothing
// of what the values are for, opens nothing but the file (and the message of the day), and imports no other package of the
// node.
package config
