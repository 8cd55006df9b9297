package xmpp

import (
	"slices"
	"strconv"
	"strings"
)

// page is a request for a part of a list (XEP-0059).
type page struct {
	max           int // -1: not said
	after, before string
	last          bool // an empty before: the last page
}

// pageWanted reads a set element; it may be nil.
func pageWanted(set *element) (page, error) {
	p := page{max: -1}
	if set == nil {
		return p, nil
	}
	if m := set.child(nsRSM, "max"); m != nil {
		n, err := strconv.ParseUint(strings.TrimSpace(m.text()), 10, 31)
		if err != nil {
			return p, stanzaError{"modify", "bad-request", "max is no number"}
		}
		p.max = int(n)
	}
	p.after = set.childText(nsRSM, "after")
	if b := set.child(nsRSM, "before"); b != nil {
		p.before = b.text()
		p.last = p.before == ""
	}
	return p, nil
}

// pageSet describes a page: first and last are ids, count the size of the whole list (negative: not told).
func pageSet(first, last string, index, count int) *element {
	set := el(nsRSM, "set")
	if first != "" {
		f := el(nsRSM, "first", first)
		if index >= 0 {
			f.with(at("index", strconv.Itoa(index)))
		}
		set.with(f, el(nsRSM, "last", last))
	}
	if count >= 0 {
		set.with(el(nsRSM, "count", strconv.Itoa(count)))
	}
	return set
}

// pageOf cuts the page that is asked for out of a list of distinct ids. The set is nil when nobody asked and all fits.
func pageOf(want *element, ids []string, most int) (*element, []string, error) {
	p, err := pageWanted(want)
	if err != nil {
		return nil, nil, err
	}
	limit := p.max
	if limit < 0 || limit > most {
		limit = most
	}
	if want == nil && len(ids) <= most {
		return nil, ids, nil
	}
	from, to := 0, len(ids)
	gone := stanzaError{"cancel", "item-not-found", "no such item to page from"}
	if p.after != "" {
		i := slices.Index(ids, p.after)
		if i < 0 {
			return nil, nil, gone
		}
		from = i + 1
	}
	if p.before != "" {
		i := slices.Index(ids, p.before)
		if i < 0 {
			return nil, nil, gone
		}
		to = i
	}
	from = min(from, to)
	if to-from > limit {
		if p.last || p.before != "" {
			from = to - limit
		} else {
			to = from + limit
		}
	}
	part := ids[from:to]
	if len(part) == 0 {
		return pageSet("", "", -1, len(ids)), nil, nil
	}
	return pageSet(part[0], part[len(part)-1], from, len(ids)), part, nil
}
