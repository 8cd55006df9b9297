package irc

import "testing"

func TestWhoAndPresence(t *testing.T) {
	tests := []struct{ name, script string }{
		{"who", `
			ann> JOIN #c
			ann< 366
			bob> JOIN #c
			bob< 366
			bob> AWAY :tea
			bob~
			ann> WHO #c
			ann< 352 ann #c ~ann guest/ ... n1.test ann H@ :0 The ann
			ann< 352 ann #c ~bob guest/ ... n2.test bob G :0 The bob
			ann< 315 ann #c
			ann> WHO #c %tcuhsnfdar,743
			ann< 354 ann 743 #c ~ann guest/ ... n1.test ann H@ 0 0 :The ann
			ann< 354 ann 743 #c ~bob
			ann< 315
			ann> WHO bob %na
			ann< 354 ann bob :0
			ann< 315 ann bob
			ann> WHO b*
			ann< 352 ann * ~bob
			ann< 315 ann b*
			ann> WHO #nowhere
			ann< 315 ann #nowhere
			ann> WHO nobody
			ann< 315 ann nobody`},
		{"whois", `
			ann> JOIN #c
			ann< 366
			bob> JOIN #c
			bob< 366
			ann> WHOIS bob
			ann< 311 ann bob ~bob guest/ ... * :The bob
			ann< 319 ann bob :#c
			ann< 312 ann bob n2
			ann< 318 ann bob
			ann> WHOIS n1.test ann
			ann< 319 ann ann :@#c
			ann< 317 ann ann 0
			ann< 318
			ann> WHOIS nobody
			ann< 401 ann nobody
			ann< 318 ann nobody
			ann> WHOWAS nobody
			ann< 406 ann nobody
			ann< 369 ann nobody
			ann> MODE ann +B
			ann< MODE ann +B
			ann> WHOIS ann
			ann< 335 ann ann`},
		{"ison, userhost", `
			ann> ISON nobody bob ann
			ann< 303 ann :bob ann
			ann> USERHOST bob nobody
			ann< 302 ann :bob=+~bob@guest/`},
		{"monitor", `
			ann> MONITOR + bob,carl
			ann< 730 ann :bob!~bob@guest/
			ann< 731 ann :carl
			ann> MONITOR L
			ann< 732 ann :bob,carl
			ann< 733 ann
			bob> NICK carl
			ann< 731 ann :bob
			ann< 730 ann :carl!~carl@
			bob> AWAY :x
			ann< :carl!~carl@ ... AWAY :x
			bob> QUIT
			ann< 731 ann :carl
			ann> MONITOR - bob
			ann> MONITOR S
			ann< 731 ann :carl
			ann> MONITOR C
			ann> MONITOR L
			ann< 733 ann`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.user(0, "ann", "extended-monitor", "away-notify")
			bob := w.user(1, "bob")
			bob.sync()
			w.script(tt.script)
		})
	}
}
