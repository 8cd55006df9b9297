package command

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"warren/bridge"
)

// Limits of one reply: a flood on IRC is what is longer.
const (
	pageLines  = 20   // lines of one page of a document
	pageBytes  = 2000 // bytes of one page of a document
	pageItems  = 20   // things on one page of a list
	maxListed  = 20   // names in one line
	maxLines   = 40
	maxLineLen = 2048 // bytes
	maxEchoed  = 80   // bytes of what somebody typed that are repeated
)

func failed(lines ...string) bridge.Reply { return bridge.Reply{Lines: lines, Failed: true} }

func told(data any, lines ...string) bridge.Reply { return bridge.Reply{Lines: lines, Data: data} }

// clean makes every line of a reply one line of printable text, and bounds it.
func clean(r bridge.Reply) bridge.Reply {
	if len(r.Lines) > maxLines {
		more := len(r.Lines) - maxLines + 1
		r.Lines = append(r.Lines[:maxLines-1:maxLines-1], fmt.Sprintf("… and %d more lines", more))
	}
	for i, l := range r.Lines {
		r.Lines[i] = cutAt(flat(l), maxLineLen)
	}
	return r
}

func flat(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', r == utf8.RuneError:
			return ' '
		}
		return r
	}, s)
}

// cutAt shortens s to at most limit bytes at a character's border.
func cutAt(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:border(s, limit-len("…"))] + "…"
}

// border returns the largest character border of s that is at most n.
func border(s string, n int) int {
	for n > 0 && n < len(s) && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}

// short is something that was typed, to repeat it.
func short(s string) string { return cutAt(s, maxEchoed) }

// list joins names with commas; of long lists the rest is counted.
func list(names []string) string {
	if len(names) > maxListed {
		return strings.Join(names[:maxListed], ", ") + fmt.Sprintf(" and %d more", len(names)-maxListed)
	}
	return strings.Join(names, ", ")
}

// count says "1 thing", "2 things".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// pageOf returns the part of items that is on a page, how many pages there are, and the line that leads on ("" on the last).
func pageOf[T any](items []T, page int, command string) (part []T, pages int, more string) {
	pages = max(1, (len(items)+pageItems-1)/pageItems)
	page = min(page, pages)
	part = items[(page-1)*pageItems : min(page*pageItems, len(items))]
	if page < pages {
		more = fmt.Sprintf("(page %d of %d, %d more: %s %d)", page, pages, len(items)-page*pageItems, command, page+1)
	}
	return part, pages, more
}

// textPages cuts a text into pages of at most pageLines lines and pageBytes bytes; each is a list of lines. It returns the page asked for
// (the last one when there are fewer), its number, how many there are, and how many bytes of the text come after it.
func textPages(text string, want int) (lines []string, page, pages, remain int) {
	size := 0
	var cur []string
	taken := 0 // bytes of text up to the end of cur
	flush := func() {
		pages++
		if pages <= want {
			lines, page, remain = cur, pages, len(text)-taken
		}
		cur, size = nil, 0
	}
	for rest, open := text, true; open; {
		line := rest
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			line, rest = rest[:i], rest[i+1:]
		} else {
			rest, open = "", false
		}
		for {
			if len(cur) == pageLines || size > 0 && size+len(line) > pageBytes {
				flush()
			}
			if len(line) <= pageBytes {
				break
			}
			n := border(line, pageBytes)
			if i := strings.LastIndexByte(line[:n], ' '); i > pageBytes/2 {
				n = i + 1
			}
			cur, size, taken = append(cur, line[:n]), size+n, taken+n
			line = line[n:]
		}
		cur, size, taken = append(cur, line), size+len(line)+1, min(taken+len(line)+1, len(text))
	}
	if len(cur) > 0 {
		flush()
	}
	return lines, page, pages, remain
}
