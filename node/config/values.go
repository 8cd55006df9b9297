package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time, written as "250ms", "1.5s", "2m" or "1h30m". It is a struct so that a bare number, whose unit
// nobody knows, is no duration.
type Duration struct{ time.Duration }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf(`expected a duration such as "250ms", "1s" or "2m", found %q`, clip(string(text)))
	}
	d.Duration = v
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String writes the duration without zero units at its end: 2m, not 2m0s.
func (d Duration) String() string {
	s := d.Duration.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Size is a number of bytes, written as "512B", "96KiB", "1MiB" or "2GiB". Multiples are of 1024.
type Size int64

// The units of [Size].
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

// units in the order in which String tries them; B last.
func units() []struct {
	name string
	size Size
} {
	return []struct {
		name string
		size Size
	}{{"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"B", 1}}
}

// UnmarshalText implements encoding.TextUnmarshaler. Units are read in any case; a number without unit is bytes.
func (s *Size) UnmarshalText(text []byte) error {
	in := strings.TrimSpace(string(text))
	digits := strings.TrimRight(in, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit := strings.TrimSpace(in[len(digits):])
	n, err := strconv.ParseUint(digits, 10, 63)
	for _, u := range units() {
		if err == nil && (strings.EqualFold(unit, u.name) || unit == "" && u.size == 1) && n <= uint64(math.MaxInt64/u.size) {
			*s = Size(n) * u.size
			return nil
		}
	}
	return fmt.Errorf(`expected a size such as "512B", "96KiB" or "1MiB", found %q`, clip(string(text)))
}

// MarshalText implements encoding.TextMarshaler.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String writes the size in the largest unit that gives a whole number.
func (s Size) String() string {
	for _, u := range units() {
		if s%u.size == 0 && (s != 0 || u.size == 1) {
			return strconv.FormatInt(int64(s/u.size), 10) + u.name
		}
	}
	return ""
}

// Path is the name of a file or folder. In a file it may be relative to the folder of that file; after [Load] it is
// absolute, or empty when nothing was said.
type Path string

// clip shortens what an error repeats of the file.
func clip(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
