package names

import (
	"strings"
	"testing"

	"golang.org/x/text/secure/precis"
	"pgregory.net/rapid"
)

func TestCanonicalChannel(t *testing.T) {
	for in, want := range map[string]string{
		"#physics": "#physics", "#Physics.Lab1": "#physics.lab1", "#~Alice": "#~alice", "#~alice.Drafts": "#~alice.drafts",
		"##c++": "##c++", "#a/b": "#a/b", "#a@b:c": "#a@b:c", "#ŻÓŁW": "#żółw", "#~שרה": "#~שרה", "#שלום.lab": "#שלום.lab", "#日本": "#日本",
		"#a．b": "#a.b", "#" + strings.Repeat("x", 63): "#" + strings.Repeat("x", 63),
	} {
		if got, err := CanonicalChannel(in); err != nil || got != want {
			t.Errorf("CanonicalChannel(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for name, bad := range map[string]string{
		"empty": "", "no sign": "a", "sign alone": "#", "space": "#a b", "comma": "#a,b", "bell": "#a\x07", "control": "#a\x1f", "NUL": "#a\x00",
		"dot at the end": "#a.", "dot at the start": "#.a", "two dots": "#a..b", "nobody's inventory": "#~", "inventory of no account": "#~1a",
		"inventory of a guest": "#~ann~attic", "star": "#a*", "question mark": "#a?", "not UTF-8": "#a\xff", "too long": "#" + strings.Repeat("x", 64),
		"direction mark": "#a\u202eb", "emoji": "#🐍", "no-break space": "#a\u00a0b", "full-width comma": "#a，b",
	} {
		if got, err := CanonicalChannel(bad); err == nil {
			t.Errorf("%s: %q became %q", name, bad, got)
		}
	}
}

func TestChannelToJID(t *testing.T) {
	for in, want := range map[string]string{
		"#Physics.Lab1": "physics.lab1", "#~alice": "~alice", "#a/b": `a\2fb`, "#a&b": `a\26b`, `#a\20b`: `a\5c20b`, `#a\b`: `a\b`, "##c": "#c",
		"#a@b": `a\40b`, "#żółw": "żółw", "#u--x": "u--elmirubo", "#~שרה": "u--fjbldltinbbqa",
	} {
		local, host, err := ChannelToJID(in, "example.org")
		if err != nil || host != "rooms.example.org" {
			t.Errorf("%q: %q, %v", in, host, err)
		}
		if local != want && !strings.HasPrefix(want, armour) || strings.HasPrefix(want, armour) != strings.HasPrefix(local, armour) {
			t.Errorf("ChannelToJID(%q) = %q, want %q", in, local, want)
		}
	}
	if _, _, err := ChannelToJID("#a b", "example.org"); err == nil {
		t.Error("a bad name has a JID")
	}
}

func TestJIDToChannelRefuses(t *testing.T) {
	for name, tt := range map[string][2]string{
		"another host": {"a", "example.org"}, "no localpart": {"", "rooms.example.org"}, "needless escape": {`a\5cb`, "rooms.example.org"},
		"escaped space": {`a\20b`, "rooms.example.org"}, "a second spelling": {"u--c4", "rooms.example.org"}, "bad base32": {"u--zz", "rooms.example.org"},
		"too long": {strings.Repeat("x", 2000), "rooms.example.org"}, "not UTF-8": {"\xff", "rooms.example.org"},
	} {
		if got, err := JIDToChannel(tt[0], tt[1], "example.org"); err == nil {
			t.Errorf("%s: became %q", name, got)
		}
	}
	if got, err := JIDToChannel("PHYSICS", "Rooms.Example.org", "example.org"); err != nil || got != "#physics" {
		t.Errorf("got %q, %v", got, err)
	}
}

func genChannel() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(genText(), 1, 3), func(parts []string) string { return "#" + strings.Join(parts, ".") })
}

func checkChannel(t interface{ Fatalf(string, ...any) }, channel string) {
	canonical, err := CanonicalChannel(channel)
	if err != nil {
		return
	}
	if again, err := CanonicalChannel(canonical); err != nil || again != canonical {
		t.Fatalf("%q, then %q, %v", canonical, again, err)
	}
	local, host, err := ChannelToJID(channel, "localhost")
	if err != nil {
		t.Fatalf("%q has no JID: %v", channel, err)
	}
	if folded, err := precis.UsernameCaseMapped.String(local); err != nil || folded != local || strings.ContainsAny(local, `"&'/:<>@ `) {
		t.Fatalf("%q: localpart %q is not what a JID library takes: %q, %v", channel, local, folded, err)
	}
	back, err := JIDToChannel(local, host, "localhost")
	if err != nil || back != canonical {
		t.Fatalf("%q → %q → %q, %v", channel, local, back, err)
	}
}

func TestChannelsSurviveTheWayThroughXMPP(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkChannel(t, genChannel().Draw(t, "channel")) })
}

func TestEveryLegalLocalpartIsTheOnlyOneOfItsRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		local := genText().Draw(t, "local")
		channel, err := JIDToChannel(local, "rooms.localhost", "localhost")
		if err != nil {
			return
		}
		want, err := foldUser(local)
		if got, _, _ := ChannelToJID(channel, "localhost"); err != nil || got != want {
			t.Fatalf("%q → %q → %q", local, channel, got)
		}
	})
}

func FuzzChannel(f *testing.F) {
	for _, s := range []string{"#a.b", "#~alice", `#a\20/b`, "#u--c4", "#שלום.lab", "#ａ．Ｂ", "#ΑΣ.σ", "#\\5c", "##"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkChannel(t, s) })
}

func FuzzLocal(f *testing.F) {
	for _, s := range []string{"a.b", "~alice", `a\2fb`, "u--c4", `\5c20`, "ΑΣ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, local string) {
		if channel, err := JIDToChannel(local, "rooms.localhost", "localhost"); err == nil {
			checkChannel(t, channel)
		}
		if account, err := LocalToAccount(local); err == nil {
			if back, err := LocalToAccount(AccountToLocal(account)); err != nil || back != account {
				t.Fatalf("%q → %q → %q, %v", local, account, back, err)
			}
		}
		if nick := NickForIRC(local); ValidNick(nick) != nil {
			t.Fatalf("%q → %q: %v", local, nick, ValidNick(nick))
		}
	})
}
