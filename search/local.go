package search

import (
	"cmp"
	"slices"
	"strings"

	"warren/perms"
	"warren/rooms"
	"warren/search/query"
)

// kindRoom is the kind of a room's own item.
const kindRoom = "room"

// itemsOf returns the tagged things of a room, the room itself among them.
func itemsOf(st *rooms.State) []query.Item {
	var out []query.Item
	if len(st.Tags) > 0 {
		out = append(out, roomItem(st))
	}
	for _, o := range st.Objects {
		if len(o.Tags) > 0 {
			out = append(out, itemOf(st, &o))
		}
	}
	return out
}

func itemOf(st *rooms.State, o *rooms.Object) query.Item {
	return query.Item{Room: "#" + st.Name, ID: o.ID, Kind: string(o.Kind), Name: o.Name, Owner: ownerName(o.Owner), Tags: foldTags(o.Tags)}
}

func roomItem(st *rooms.State) query.Item {
	return query.Item{Room: "#" + st.Name, Kind: kindRoom, Name: st.Name, Owner: ownerName(st.Maker), Tags: foldTags(st.Tags)}
}

// foldTags leaves out what cannot be asked for: rooms fold ASCII only.
func foldTags(tags []string) []string {
	out := make([]string, 0, len(tags))
	for _, t := range tags {
		if f, err := query.FoldTag(t); err == nil {
			out = append(out, f)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ownerName is an owner as people write it: an account, or nick~node with the first 8 characters of the node's id.
func ownerName(p perms.Principal) string {
	if !p.IsGuest() {
		return string(p)
	}
	name := string(p[1:])
	if i := strings.LastIndexByte(name, '~'); i >= 0 {
		return name[:min(i+9, len(name))]
	}
	return name
}

// readable returns the thing as it is now (id empty: the room itself), if the asker may read it. It is called under the state's read lock.
func readable(st *rooms.State, room rooms.RoomID, id string, a asker, now int64) (Hit, bool) {
	if st.Closed || st.Direct() {
		return Hit{}, false
	}
	who := st.SubjectOf(a.account, a.nick, a.node)
	if !st.Decide(who, perms.Read, nil, now, a.groups).OK {
		return Hit{}, false
	}
	if st.Set.Secret && !belongs(st, who.Principal, a.groups) {
		return Hit{}, false
	}
	it := roomItem(st)
	h := Hit{RoomID: room, Changed: st.Created}
	if id != "" {
		o, ok := st.Objects[id]
		if !ok || !st.Decide(who, perms.Read, &o, now, a.groups).OK {
			return Hit{}, false
		}
		it = itemOf(st, &o)
		h.Target, h.Changed = o.Target, o.Changed
	}
	h.Room, h.ID, h.Kind, h.Name, h.Owner, h.Tags = it.Room, it.ID, it.Kind, it.Name, it.Owner, it.Tags
	return h, true
}

// belongs reports whether somebody is an occupant or, by name or group, in the room's access list.
func belongs(st *rooms.State, who perms.Principal, g perms.Groups) bool {
	for _, e := range st.ACL {
		if e.Allow != 0 && (e.Who == who || e.Who.IsGroup() && who.IsAccount() && g != nil && g.Member(string(who), string(e.Who[1:]))) {
			return true
		}
	}
	for _, o := range st.Occupants {
		if o.Principal() == who {
			return true
		}
	}
	return false
}

// item is what an expression is held against.
func (h *Hit) item() query.Item {
	return query.Item{Room: h.Room, ID: h.ID, Kind: h.Kind, Name: h.Name, Owner: h.Owner, Tags: h.Tags}
}

// local returns what this node's rooms hold that matches and that the asker may read, ranked; more is true when there was more than limit, or
// too much to look at.
func (s *Service) local(e query.Expr, a asker, limit int) (hits []Hit, more bool) {
	type part struct {
		r   *room
		ids []string
	}
	parts := map[string]*part{}
	s.mu.Lock()
	s.index.FindFunc(e, 1, func(it query.Item) bool {
		p := parts[it.Room]
		if p == nil {
			r := s.rooms[s.names[it.Room]]
			if r == nil {
				return false
			}
			p = &part{r: r}
			parts[it.Room] = p
		}
		if len(p.ids) < maxPerRoom {
			p.ids = append(p.ids, it.ID)
		} else {
			more = true
		}
		return false // rights are asked below, without the lock
	})
	s.mu.Unlock()
	now, checked := s.cfg.Now(), 0
	for _, p := range parts {
		if checked += len(p.ids); checked > maxChecked {
			more = true
			break
		}
		p.r.view(func(st *rooms.State) {
			for _, id := range p.ids {
				if h, ok := readable(st, p.r.id, id, a, now); ok && e.Match(h.item()) {
					hits = append(hits, h)
				}
			}
		})
	}
	rank(hits, e)
	if len(hits) > limit {
		hits, more = hits[:limit], true
	}
	return hits, more
}

// rank sorts by how many of the tags that were asked for a thing has, then the newest, then by name.
func rank(hits []Hit, e query.Expr) {
	asked := map[string]bool{}
	for _, t := range e.Positive() {
		asked[t] = true
	}
	score := func(h *Hit) (n int) {
		for _, t := range h.Tags {
			if asked[t] {
				n++
			}
		}
		return n
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(
			cmp.Compare(score(&b), score(&a)), cmp.Compare(b.Changed, a.Changed), strings.Compare(a.Name, b.Name),
			strings.Compare(a.Room, b.Room), strings.Compare(a.ID, b.ID),
		)
	})
}
