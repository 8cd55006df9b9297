package perms

import (
	"math/rand"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// groups is a directory of groups for tests: group name → its accounts.
type groups map[string][]string

func (g groups) Member(account, group string) bool {
	for _, a := range g[group] {
		if a == account {
			return true
		}
	}
	return false
}

const node = "k3jxnode"

func TestDecide(t *testing.T) {
	alice, bob, guest := Account("alice"), Account("bob"), Guest("zed", node)
	open := ACL{}.Grant(Everyone, Enter|Read|Say).Grant(Registered, Insert)
	ban := Penalty{Who: bob, Denies: Enter | Say, By: alice, Reason: "spam"}
	tests := map[string]struct {
		q    Query
		want bool
		why  string
	}{
		"everyone may what everyone was given":              {Query{Subject: Subject{Principal: guest}, Right: Say, ACLs: []ACL{open}}, true, "as to everyone"},
		"a guest is not registered":                         {Query{Subject: Subject{Principal: guest}, Right: Insert, ACLs: []ACL{open}}, false, "nobody gave"},
		"a node is not registered":                          {Query{Subject: Subject{Principal: Node(node)}, Right: Insert, ACLs: []ACL{open}}, false, "nobody gave"},
		"an account is registered":                          {Query{Subject: Subject{Principal: alice}, Right: Insert, ACLs: []ACL{open}}, true, "everyone with an account"},
		"what nobody speaks of is denied":                   {Query{Subject: Subject{Principal: alice}, Right: Delete, ACLs: []ACL{open}}, false, "nobody gave the right to delete"},
		"no ACL at all denies":                              {Query{Subject: Subject{Principal: alice}, Right: Read}, false, "nobody gave"},
		"nobody asks":                                       {Query{Right: Read, ACLs: []ACL{open}}, false, "nobody gave"},
		"the person's own entry wins over everyone's":       {Query{Subject: Subject{Principal: bob}, Right: Say, ACLs: []ACL{open.Deny(bob, Say)}}, false, "denied, by name"},
		"a group's entry wins over the registered ones'":    {Query{Subject: Subject{Principal: bob}, Right: Insert, ACLs: []ACL{open.Deny("@new", Insert)}, Groups: groups{"new": {"bob"}}}, false, "group new"},
		"the person's own entry wins over the group's":      {Query{Subject: Subject{Principal: bob}, Right: Insert, ACLs: []ACL{open.Deny("@new", Insert).Grant(bob, Insert)}, Groups: groups{"new": {"bob"}}}, true, "by name"},
		"of two groups that disagree, no wins":              {Query{Subject: Subject{Principal: bob}, Right: Write, ACLs: []ACL{ACL{}.Grant("@a", Write).Deny("@b", Write)}, Groups: groups{"a": {"bob"}, "b": {"bob"}}}, false, "group b"},
		"groups are for accounts only":                      {Query{Subject: Subject{Principal: guest}, Right: Write, ACLs: []ACL{ACL{}.Grant("@a", Write)}, Groups: groups{"a": {string(guest)}}}, false, "nobody gave"},
		"the nearer ACL decides":                            {Query{Subject: Subject{Principal: bob}, Right: Say, ACLs: []ACL{ACL{}.Deny(Everyone, Say), open}}, false, "denied, as to everyone"},
		"a nearer ACL that is silent leaves it to the next": {Query{Subject: Subject{Principal: bob}, Right: Say, ACLs: []ACL{ACL{}.Deny(Everyone, Read), open}}, true, "say"},
		"a manager may do everything":                       {Query{Subject: Subject{Principal: alice}, Right: Delete, ACLs: []ACL{ACL{}.Grant(alice, Manage)}}, true, "may manage, by name"},
		"no sanction hits a manager":                        {Query{Subject: Subject{Principal: bob}, Right: Say, ACLs: []ACL{open.Grant(bob, Manage)}, Sanctions: []Penalty{ban}}, true, "may manage"},
		"a manager who is denied say by name still may":     {Query{Subject: Subject{Principal: bob}, Right: Say, ACLs: []ACL{open.Grant(bob, Manage).Deny(bob, Say)}}, true, "may manage"},
		"the nearer ACL cannot lock out who manages farther": {Query{Subject: Subject{Principal: alice}, Right: Delete,
			ACLs: []ACL{ACL{}.Deny(Everyone, All).Deny(alice, All), ACL{}.Grant(alice, Manage)}, Owner: bob}, true, "may manage"},
		"who is denied manage where it is given does not manage": {Query{Subject: Subject{Principal: bob}, Right: Manage,
			ACLs: []ACL{ACL{}.Grant(Registered, Manage).Deny(bob, Manage)}}, false, "the right to manage is denied"},
		"a sanction names who laid it and why":     {Query{Subject: Subject{Principal: bob}, Right: Say, ACLs: []ACL{open}, Sanctions: []Penalty{ban}}, false, "sanctioned by alice: spam"},
		"a sanction leaves other rights":           {Query{Subject: Subject{Principal: bob}, Right: Read, ACLs: []ACL{open}, Sanctions: []Penalty{ban}}, true, "read"},
		"a sanction of another does not hit":       {Query{Subject: Subject{Principal: alice}, Right: Say, ACLs: []ACL{open}, Sanctions: []Penalty{ban}}, true, "say"},
		"a sanction of a group hits its members":   {Query{Subject: Subject{Principal: bob}, Right: Say, ACLs: []ACL{open}, Sanctions: []Penalty{{Who: "@new", Denies: Say}}, Groups: groups{"new": {"bob"}}}, false, "sanctioned"},
		"a sanction of everyone hits a guest":      {Query{Subject: Subject{Principal: guest}, Right: Say, ACLs: []ACL{open}, Sanctions: []Penalty{{Who: Everyone, Denies: Say}}}, false, "sanctioned"},
		"a sanction is in force before its end":    {Query{Subject: Subject{Principal: bob}, Right: Say, ACLs: []ACL{open}, Sanctions: []Penalty{{Who: bob, Denies: Say, Until: 100}}, Now: 99}, false, "sanctioned"},
		"a sanction is over at its end":            {Query{Subject: Subject{Principal: bob}, Right: Say, ACLs: []ACL{open}, Sanctions: []Penalty{{Who: bob, Denies: Say, Until: 100}}, Now: 100}, true, "say"},
		"a mask hits a guest":                      {Query{Subject: Subject{Principal: guest, Mask: "Zed!~zed@guest/k3jx"}, Right: Say, ACLs: []ACL{open}, Sanctions: []Penalty{{Mask: "*!*@GUEST/*", Denies: Say, By: alice}}}, false, "sanctioned by alice through *!*@GUEST/*"},
		"a mask leaves an account with another":    {Query{Subject: Subject{Principal: bob, Mask: "bob!bob@user/bob"}, Right: Say, ACLs: []ACL{open}, Sanctions: []Penalty{{Mask: "*!*@guest/*", Denies: Say}}}, true, "say"},
		"a mask does not hit who shows none":       {Query{Subject: Subject{Principal: bob}, Right: Say, ACLs: []ACL{open}, Sanctions: []Penalty{{Mask: "*", Denies: Say}}}, true, "say"},
		"an empty sanction hits nobody":            {Query{Subject: Subject{Principal: bob, Mask: "b!b@b"}, Right: Say, ACLs: []ACL{open}, Sanctions: []Penalty{{Denies: Say}}}, true, "say"},
		"an owner may change what is theirs":       {Query{Subject: Subject{Principal: bob}, Right: Write, ACLs: []ACL{open}, Owner: bob}, true, "owns it"},
		"an owner may not manage by owning":        {Query{Subject: Subject{Principal: bob}, Right: Manage, ACLs: []ACL{open}, Owner: bob}, false, "nobody gave"},
		"an owner who is sanctioned may not write": {Query{Subject: Subject{Principal: bob}, Right: Write, ACLs: []ACL{open}, Owner: bob, Sanctions: []Penalty{{Who: bob, Denies: Write}}}, false, "sanctioned"},
		"of several rights all must be given":      {Query{Subject: Subject{Principal: bob}, Right: Say | Write, ACLs: []ACL{open}}, false, "nobody gave the right to write"},
		"of several rights one may be sanctioned":  {Query{Subject: Subject{Principal: bob}, Right: Read | Say, ACLs: []ACL{open}, Sanctions: []Penalty{ban}}, false, "sanctioned"},
		"several rights from several entries":      {Query{Subject: Subject{Principal: bob}, Right: Say | Insert, ACLs: []ACL{open}}, true, "insert"},
		"no right is no right":                     {Query{Subject: Subject{Principal: bob}, ACLs: []ACL{open}}, false, "asked for no right"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Decide(tt.q); got.OK != tt.want || !strings.Contains(got.Why, tt.why) {
				t.Errorf("got %v %q, want %v and %q in the answer", got.OK, got.Why, tt.want, tt.why)
			}
		})
	}
}

func genPrincipal() *rapid.Generator[Principal] {
	return rapid.Custom(func(t *rapid.T) Principal {
		n := rapid.SampledFrom([]string{"ann", "ben", "cy", "dee"}).Draw(t, "name")
		switch rapid.IntRange(0, 5).Draw(t, "sort") {
		case 0:
			return group(n)
		case 1:
			return Guest(n, node)
		case 2:
			return Everyone
		case 3:
			return Registered
		}
		return Account(n)
	})
}

func genACL() *rapid.Generator[ACL] {
	return rapid.Custom(func(t *rapid.T) ACL {
		var a ACL
		for range rapid.IntRange(0, 6).Draw(t, "entries") {
			a = a.With(Entry{Who: genPrincipal().Draw(t, "who"), Allow: genRights().Draw(t, "allow"), Deny: genRights().Draw(t, "deny")})
		}
		return a
	})
}

func genRights() *rapid.Generator[Rights] {
	return rapid.Map(rapid.Uint32Range(0, uint32(All)), func(v uint32) Rights { return Rights(v) })
}

func genQuery(t *rapid.T) (Query, groups) {
	g := groups{}
	for _, n := range []string{"ann", "ben", "cy", "dee"} {
		g[n] = rapid.SliceOfN(rapid.SampledFrom([]string{"ann", "ben", "cy", "dee"}), 0, 3).Draw(t, "members")
	}
	q := Query{
		Subject: Subject{Principal: rapid.SampledFrom([]Principal{"ann", "ben", "cy", Guest("ann", node), Guest("dee", node)}).Draw(t, "who")},
		Right:   Rights(1) << rapid.IntRange(0, 9).Draw(t, "right"),
		ACLs:    rapid.SliceOfN(genACL(), 0, 3).Draw(t, "acls"),
		Now:     50, Groups: g,
	}
	if rapid.Bool().Draw(t, "owned") {
		q.Owner = genPrincipal().Draw(t, "owner")
	}
	for range rapid.IntRange(0, 3).Draw(t, "sanctions") {
		q.Sanctions = append(q.Sanctions, Penalty{
			Who: genPrincipal().Draw(t, "hit"), Denies: genRights().Draw(t, "denies"), Until: rapid.Int64Range(0, 100).Draw(t, "until"), By: "ann",
		})
	}
	return q, g
}

func TestAnswersDoNotDependOnTheOrderOfEntries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q, _ := genQuery(t)
		want := Decide(q)
		r := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		p := q
		p.ACLs = nil
		for _, a := range q.ACLs {
			b := append(ACL(nil), a...)
			r.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
			p.ACLs = append(p.ACLs, b)
		}
		p.Sanctions = append([]Penalty(nil), q.Sanctions...)
		r.Shuffle(len(p.Sanctions), func(i, j int) { p.Sanctions[i], p.Sanctions[j] = p.Sanctions[j], p.Sanctions[i] })
		if got := Decide(p); got != want {
			t.Errorf("shuffled: got %v, want %v", got, want)
		}
	})
}

func TestAnswersDoNotChangeUnderRenaming(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q, g := genQuery(t)
		old := []string{"ann", "ben", "cy", "dee"}
		names := rapid.Permutation(old).Draw(t, "names")
		rename := func(s string) string {
			for i, o := range old {
				if s == o {
					return "x" + names[i]
				}
			}
			return s
		}
		whom := func(p Principal) Principal {
			switch {
			case p.IsGroup():
				return group(rename(string(p[1:])))
			case p.IsGuest():
				return Guest(rename(p.Display()), node)
			}
			return Principal(rename(string(p)))
		}
		p := q
		p.Subject.Principal, p.Owner, p.ACLs, p.Sanctions = whom(q.Subject.Principal), whom(q.Owner), nil, nil
		for _, a := range q.ACLs {
			var b ACL
			for _, e := range a {
				b = b.With(Entry{Who: whom(e.Who), Allow: e.Allow, Deny: e.Deny})
			}
			p.ACLs = append(p.ACLs, b)
		}
		for _, s := range q.Sanctions {
			s.Who = whom(s.Who)
			p.Sanctions = append(p.Sanctions, s)
		}
		renamed := groups{}
		for n, members := range g {
			for _, m := range members {
				renamed[rename(n)] = append(renamed[rename(n)], rename(m))
			}
		}
		p.Groups = renamed
		if got, want := Decide(p).OK, Decide(q).OK; got != want {
			t.Errorf("renamed: got %v, want %v", got, want)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	q := Query{Subject: Subject{Principal: "bob", Mask: "bob!bob@user/bob"}, Right: Say, ACLs: []ACL{ACL{}.Grant(Everyone, Enter|Read|Say)}}
	b.Run("open room", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Decide(q)
		}
	})
	for range MaxSanctions {
		q.Sanctions = append(q.Sanctions, Penalty{Mask: "*" + strings.Repeat("b?", 40) + "*!*@nowhere", Denies: Say})
	}
	b.Run("512 masks", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Decide(q)
		}
	})
}
