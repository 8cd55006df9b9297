package irc

// command is how one command is run.
type command struct {
	run    func(c *conn, r *reply, p []string)
	params int  // fewer are 461
	early  bool // allowed before registration
	now    bool // need not wait until the rooms have ordered what the client wished before: talk is ordered after it anyway
}

// commandTable returns all commands but QUIT.
func commandTable() map[string]command {
	return map[string]command{
		"CAP": {cmdCap, 1, true, true}, "PASS": {cmdPass, 1, true, true}, "NICK": {cmdNick, 0, true, false}, "USER": {cmdUser, 4, true, true},
		"PING": {cmdPing, 0, true, true}, "PONG": {cmdIgnore, 0, true, true}, "AUTHENTICATE": {cmdAuthenticate, 1, true, true},
		"REGISTER": {cmdRegister, 3, true, false}, "VERIFY": {cmdVerify, 2, true, false}, "ERROR": {cmdIgnore, 0, true, true},

		"JOIN": {cmdJoin, 1, false, false}, "PART": {cmdPart, 1, false, false}, "TOPIC": {cmdTopic, 1, false, false}, "NAMES": {cmdNames, 0, false, false},
		"KICK": {cmdKick, 2, false, false}, "INVITE": {cmdInvite, 0, false, false}, "MODE": {cmdMode, 1, false, false}, "LIST": {cmdList, 0, false, false},

		"PRIVMSG": {cmdPrivmsg, 0, false, true}, "NOTICE": {cmdNotice, 0, false, true}, "TAGMSG": {cmdTagmsg, 1, false, true},
		"NS": {cmdNickServ, 0, false, false}, "NICKSERV": {cmdNickServ, 0, false, false}, "CHATHISTORY": {cmdChathistory, 1, false, false},

		"WHO": {cmdWho, 0, false, false}, "WHOIS": {cmdWhois, 0, false, false}, "WHOWAS": {cmdWhowas, 0, false, false}, "ISON": {cmdIson, 1, false, false},
		"USERHOST": {cmdUserhost, 1, false, false}, "AWAY": {cmdAway, 0, false, false}, "SETNAME": {cmdSetname, 1, false, false},
		"MONITOR": {cmdMonitor, 1, false, false},

		"VERSION": {cmdVersion, 0, false, false}, "TIME": {cmdTime, 0, false, false}, "INFO": {cmdInfo, 0, false, false}, "ADMIN": {cmdAdmin, 0, false, false},
		"LUSERS": {cmdLusers, 0, false, false}, "MOTD": {cmdMotd, 0, false, false}, "HELP": {cmdHelp, 0, false, false}, "HELPOP": {cmdHelp, 0, false, false},
		"OPER": {cmdOper, 2, false, false}, "LINKS": {cmdLinks, 0, false, false},
	}
}
