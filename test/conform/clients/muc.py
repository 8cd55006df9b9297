"""An XMPP client on a leash, on slixmpp: commands as lines of JSON on standard input, what happens as lines of JSON on standard output.

    muc.py JID PASSWORD HOST PORT MECHANISM

Commands: {"do": "join", "room": JID, "nick": NICK, "since": TIME (or none: no history)}, {"do": "say", "room": JID, "text": TEXT}, {"do": "direct", "to": JID, "text": TEXT},
{"do": "subject", "room": JID, "text": TEXT}, {"do": "archive", "room": JID}, {"do": "leave", "room": JID, "nick": NICK}, {"do": "end"}.
"""

import asyncio
import json
import logging
import ssl
import sys

from slixmpp import ClientXMPP
from slixmpp.xmlstream import ET
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath

SID = "{urn:xmpp:sid:0}stanza-id"
EARLY = "{urn:warren:provisional:0}"
DELAY = "{urn:xmpp:delay}delay"
MUC_USER = "{http://jabber.org/protocol/muc#user}x"
MAM = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"


def tell(**what):
    print(json.dumps(what), flush=True)


class Client(ClientXMPP):
    def __init__(self, jid, password, mechanism):
        super().__init__(jid, password, sasl_mech=mechanism)
        self.plugin["feature_mechanisms"].unencrypted_plain = True
        self.ssl_context.check_hostname = False  # the node made its certificate itself
        self.ssl_context.verify_mode = ssl.CERT_NONE
        self.archived = []
        self.add_event_handler("session_start", self.on_start)
        self.add_event_handler("failed_auth", lambda _: tell(event="refused"))
        self.add_event_handler("disconnected", lambda _: tell(event="disconnected"))
        # The library's own event tells of messages with a body only.
        self.register_handler(Callback("all messages", StanzaPath("message"), self.on_message))
        self.add_event_handler("presence", self.on_presence)

    async def on_start(self, _):
        self.send_presence()
        tell(event="online", jid=str(self.boundjid))

    def on_message(self, message):
        xml = message.xml
        forwarded = xml.find(".//{urn:xmpp:forward:0}forwarded/{jabber:client}message")
        if forwarded is not None:
            result = xml.find("{%s}result" % MAM)
            if result is not None:
                self.archived.append((result.get("id"), forwarded))
            return
        sid = xml.find(SID)
        invite = xml.find("{jabber:x:conference}x")  # a direct invitation (XEP-0249)
        body = xml.find("{jabber:client}body")
        subject = xml.find("{jabber:client}subject")
        early = next((c for c in xml if c.tag.startswith(EARLY)), None)
        tell(
            event="message", type=message["type"], id=message["id"], room=message["from"].bare, nick=message["from"].resource,
            text=None if body is None else body.text or "", subject=None if subject is None else subject.text or "",
            sid=None if sid is None else sid.get("id"), old=xml.find(DELAY) is not None, invited=None if invite is None else invite.get("jid"),
            extra=[c.tag for c in xml], early="" if early is None else early.tag[len(EARLY):], about="" if early is None else early.get("id") or "",
        )

    def on_presence(self, presence):
        codes = [int(s.get("code")) for s in presence.xml.findall("%s/{http://jabber.org/protocol/muc#user}status" % MUC_USER)]
        tell(event="presence", type=presence.xml.get("type") or "", room=presence["from"].bare, nick=presence["from"].resource, codes=codes)

    async def archive(self, room):
        """Pages through the room's whole archive (XEP-0313)."""
        self.archived = []
        after = None
        while True:
            iq = self.make_iq_set(ito=room)
            query = ET.SubElement(iq.xml, "{%s}query" % MAM)
            page = ET.SubElement(query, "{%s}set" % RSM)
            ET.SubElement(page, "{%s}max" % RSM).text = "100"
            if after is not None:
                ET.SubElement(page, "{%s}after" % RSM).text = after
            answer = await iq.send(timeout=30)
            fin = answer.xml.find("{%s}fin" % MAM)
            last = fin.find("{%s}set/{%s}last" % (RSM, RSM))
            if last is None or fin.get("complete") == "true":
                break
            after = last.text
        for sid, message in self.archived:
            body = message.find("{jabber:client}body")
            if body is not None:
                tell(event="archived", room=room, sid=sid, nick=message.get("from", "").partition("/")[2], text=body.text or "")
        tell(event="archive-end", room=room, count=len(self.archived))

    def obey(self, order):
        do, room = order["do"], order.get("room")
        if do == "join":
            presence = self.make_presence(pto="%s/%s" % (room, order["nick"]))
            x = ET.SubElement(presence.xml, "{http://jabber.org/protocol/muc}x")
            history = ET.SubElement(x, "{http://jabber.org/protocol/muc}history")
            if order.get("since"):
                history.set("since", order["since"])
            else:
                history.set("maxstanzas", "0")
            presence.send()
        elif do == "leave":
            self.make_presence(pto="%s/%s" % (room, order["nick"]), ptype="unavailable").send()
        elif do == "say":
            self.make_message(mto=room, mbody=order["text"], mtype="groupchat").send()
        elif do == "direct":
            self.make_message(mto=order["to"], mbody=order["text"], mtype="chat").send()
        elif do == "subject":
            message = self.make_message(mto=room, mtype="groupchat")
            message["subject"] = order["text"]
            message.send()
        elif do == "archive":
            asyncio.ensure_future(self.guard(self.archive(room)))
        elif do == "end":
            self.disconnect(wait=2.0)
        else:
            tell(event="error", text="unknown order %r" % do)

    async def guard(self, work):
        try:
            await work
        except Exception as err:  # told to the test, which fails by it
            tell(event="error", text=repr(err))


async def orders(client):
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_event_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while True:
        line = await reader.readline()
        if not line:
            return
        client.obey(json.loads(line))


def main():
    jid, password, host, port, mechanism = sys.argv[1:]
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(message)s")
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    client = Client(jid, password, mechanism)
    client.connect((host, int(port)))
    asyncio.get_event_loop().run_until_complete(orders(client))


main()
