package irc

// command is how one command is run.
type command struct {
	run    func(c *conn, r *reply, p []string)
	params int  // fewer are 461
	early  bool // allowed before registration
}

// commandTable returns all commands but QUIT.
func commandTable() map[string]command {
	return map[string]command{
		"CAP": {cmdCap, 1, true}, "PASS": {cmdPass, 1, true}, "NICK": {cmdNick, 0, true}, "USER": {cmdUser, 4, true},
		"PING": {cmdPing, 0, true}, "PONG": {cmdIgnore, 0, true}, "AUTHENTICATE": {cmdAuthenticate, 1, true},
		"REGISTER": {cmdRegister, 3, true}, "VERIFY": {cmdVerify, 2, true}, "ERROR": {cmdIgnore, 0, true},

		"JOIN": {cmdJoin, 1, false}, "PART": {cmdPart, 1, false}, "TOPIC": {cmdTopic, 1, false}, "NAMES": {cmdNames, 0, false},
		"KICK": {cmdKick, 2, false}, "INVITE": {cmdInvite, 0, false}, "MODE": {cmdMode, 1, false}, "LIST": {cmdList, 0, false},

		"PRIVMSG": {cmdPrivmsg, 0, false}, "NOTICE": {cmdNotice, 0, false}, "TAGMSG": {cmdTagmsg, 1, false},
		"NS": {cmdNickServ, 0, false}, "NICKSERV": {cmdNickServ, 0, false}, "CHATHISTORY": {cmdChathistory, 1, false},

		"WHO": {cmdWho, 0, false}, "WHOIS": {cmdWhois, 0, false}, "WHOWAS": {cmdWhowas, 0, false}, "ISON": {cmdIson, 1, false},
		"USERHOST": {cmdUserhost, 1, false}, "AWAY": {cmdAway, 0, false}, "SETNAME": {cmdSetname, 1, false},
		"MONITOR": {cmdMonitor, 1, false},

		"VERSION": {cmdVersion, 0, false}, "TIME": {cmdTime, 0, false}, "INFO": {cmdInfo, 0, false}, "ADMIN": {cmdAdmin, 0, false},
		"LUSERS": {cmdLusers, 0, false}, "MOTD": {cmdMotd, 0, false}, "HELP": {cmdHelp, 0, false}, "HELPOP": {cmdHelp, 0, false},
		"OPER": {cmdOper, 2, false}, "LINKS": {cmdLinks, 0, false},
	}
}
