package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

const (
	// maxFile is the longest file that is read: a thousand times the usual, so a wrong path does not fill the memory.
	maxFile = 1 << 20
	// maxMOTD is the longest message of the day: every client gets it at every login.
	maxMOTD = 64 << 10
	// filePrefix begins an irc.motd that names a file.
	filePrefix = "file:"
)

// Load reads and validates the configuration file at path; what it does not state is as in [Default]. Faults in the file are
// an *[Error] with their place. A file that is not there is an error for which errors.Is(err, fs.ErrNotExist) holds.
func Load(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	c, places, err := parse(path, filepath.Dir(abs), data)
	if err != nil {
		return Config{}, err
	}
	if c.Node.Data == "" {
		if c.Node.Data, err = dataBeside(abs); err != nil {
			return Config{}, fmt.Errorf("config: %w", err)
		}
	}
	return c, located(c.Validate(), path, data, places)
}

// dataBeside returns the data directory that a file means which states none.
func dataBeside(abs string) (Path, error) {
	if filepath.Base(abs) == FileName {
		return Path(filepath.Dir(abs)), nil
	}
	dir, err := DefaultDataDir()
	return Path(dir), err
}

// parse reads the text of a file that lies in folder dir. It also returns where each key stands.
func parse(name, dir string, data []byte) (Config, map[string]int, error) {
	if len(data) > maxFile {
		return Config{}, nil, &Error{File: name, Problem: "longer than 1 MiB: this is no configuration file"}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	ch := checker{file: name, data: data, schema: schema()}
	if err := ch.check(); err != nil {
		return Config{}, nil, err
	}
	c := Default("")
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, nil, decodeError(name, err)
	}
	c.mapPaths(func(p string) string {
		if p == "" || filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(dir, p)
	})
	return c, ch.places, nil
}

// decodeError turns the decoder's error into one line of ours.
func decodeError(name string, err error) error {
	e := &Error{File: name, Problem: oneLine(strings.TrimPrefix(err.Error(), "toml: "))}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		e.Line, e.Column = de.Position()
		e.Key = oneLine(strings.Join(de.Key(), "."))
		e.Problem = oneLine(strings.TrimPrefix(de.Error(), "toml: "))
	}
	return e
}

// located adds file and place to an error of Validate.
func located(err error, name string, data []byte, places map[string]int) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	e.File = name
	if offset, ok := places[e.Key]; ok {
		e.Line, e.Column = place(bytes.TrimPrefix(data, []byte("\ufeff")), offset)
	}
	return e
}

// mapPaths applies f to every path in the configuration, that of the message of the day too.
func (c *Config) mapPaths(f func(string) string) {
	v := reflect.ValueOf(c).Elem()
	for _, e := range schema() {
		if e.index == nil {
			continue
		}
		if field := v.FieldByIndex(e.index); field.Type() == reflect.TypeFor[Path]() {
			field.SetString(f(field.String()))
		}
	}
	if p, ok := strings.CutPrefix(c.IRC.MOTD, filePrefix); ok {
		c.IRC.MOTD = filePrefix + f(strings.TrimSpace(p))
	}
}

// ReadMOTD returns the message of the day: irc.motd itself, or what is in the file that it names. It is an error when the
// file cannot be read or has more than 64 KiB.
func (c Config) ReadMOTD() (string, error) {
	path, ok := strings.CutPrefix(c.IRC.MOTD, filePrefix)
	if !ok {
		return c.IRC.MOTD, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("irc.motd: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMOTD+1))
	if err != nil {
		return "", fmt.Errorf("irc.motd: %w", err)
	}
	if len(text) > maxMOTD {
		return "", fmt.Errorf("irc.motd: %s has more than 64 KiB", path)
	}
	return string(text), nil
}
