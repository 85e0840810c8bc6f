/* (4) Synchronous sends: the share word decides between delivery and the sender's withdrawal.
 *
 *   Sender     Rendezvous::send, push, settleKnown; Outbox::commit           ipc/protocol/rendezvous.cpp, mailbox/outbox.cpp
 *   Receiver   Inbox::deliverReference, deliverCopy;                          ipc/mailbox/inbox.cpp
 *              Messaging::tryReceiving, isGoneForGood                         ipc/protocol/messaging.cpp
 *   Cleaner    adoptBroadcasts, cleanedView, deliverAdopted                  ipc/protocol/cleanup.cpp
 *
 * Member 0 sends a broadcastSync to 1 and 2, which wait for it without a deadline. A push of a reference is one step
 * (mailbox.pml has it in parts), its look at the slot words another. A record that is there twice is one here.
 * FULLS mailboxes have no room until the deadline. What is left out: the next use of the block (positions). The
 * Cleaner is a member that survives.
 *
 * P4  both sides agree: acknowledged means claimed, missing or failed means never delivered.
 * P5  if the sender is gone and had withdrawn nothing, nobody has the message while somebody else was told that it
 *     never comes.
 * P1  nobody waits for ever (no invalid end state).
 *
 * Broken rules (-D): CLAIM_STORE, WITHDRAW_STORE, NO_WITHDRAW, ADOPT_ALWAYS, NO_DELIVERY, GONE_AFTER,
 * NO_STANDING (who finds its peer gone does not ask whether it is a member itself: found by this model),
 * FINISH_WHEN_OUT (who is out says that its block is handed over), FINISH_FIRST (who was not reached is withdrawn
 * only after that: found by reading) */

#ifndef TIMEOUTS
#define TIMEOUTS 1
#endif
#define N 3

#ifndef FULLS
#define FULLS 0
#endif

bool dead[N];
#include "common.pml"
byte timeouts = TIMEOUTS;
byte fulls = FULLS;

bool isActive[N] = true;
bool cleaned; /* cleanedView covers the sender's departure */

mtype = { none, writing, committed, adopted, handedOver, withdrawn, owed, claimed, taken };
mtype phase = none;
mtype share[N] = withdrawn;
bool record[N]; /* a reference lies in the mailbox */

/* Ghosts. */
bool delivered[N], claimedIt[N], toldGone[N], refusedIt[N];
#define REFUSED(who) refusedIt[who] = true; assert(!delivered[who])

#define store(...) atomic { ALIVE(me, gone); __VA_ARGS__ }
#define CAS(word, from, to) if :: word == from -> word = to; ok = true :: else -> ok = false fi

inline settleKnown() {
  all = true;
  to = 1;
  do
  :: to == N -> break
  :: to < N && settled[to] -> to++
  :: to < N && !settled[to] ->
     store(out = !isActive[to]);
     store(seen = share[to]);
     if
     :: out && seen == owed -> store(CAS(share[to], owed, withdrawn)); store(seen = share[to])
     :: else
     fi;
     if
     :: seen == claimed || seen == taken -> settled[to] = true; assert(claimedIt[to])
     :: !(seen == claimed || seen == taken) && (out || seen == withdrawn) ->
        settled[to] = true;
        refusedIt[to] = true;
        assert(!delivered[to])
     :: else -> all = false
     fi;
     to++
  od;
  to = 0
}

proctype Sender() {
  byte me = 0, to;
  bool ok, out, all;
  bool settled[N], missed[N];
  mtype seen;

  store(phase = writing);
  store(share[1] = owed);
  store(share[2] = owed);
  store(CAS(phase, writing, committed));
  to = 1;
  do
  :: to == N -> break
  :: to < N ->
     store(ok = isActive[me] && isActive[to]);
     if
     :: ok -> store(record[to] = true)
     :: ok && fulls > 0 -> atomic { fulls--; missed[to] = true }
     :: !ok
     fi;
     to++
  od;
#ifndef FINISH_FIRST
  to = 1;
  do
  :: to == N -> break
  :: to < N && !missed[to] -> to++
  :: to < N && missed[to] ->
     store(out = !isActive[me]); /* isLeftToOthers() */
     if
     :: out
     :: !out ->
        atomic { ALIVE(me, gone); CAS(share[to], owed, withdrawn);
          if :: ok -> settled[to] = true; REFUSED(to) :: !ok fi }
     fi;
     to++
  od;
#endif
#ifdef FINISH_WHEN_OUT
  store(CAS(phase, committed, handedOver));
#else
  store(ok = isActive[me]); /* Messaging::finish() */
  if
  :: ok -> store(CAS(phase, committed, handedOver))
  :: !ok
  fi;
#endif
  do
  :: settleKnown();
     if
     :: all -> break
     :: !all
     fi;
     if
     :: atomic { !isActive[me] -> break }
     :: atomic { timeouts > 0 -> timeouts--; break }
     :: atomic { MAY_DIE(me) -> DIE(me, gone) }
     :: atomic { (!settled[1] && (share[1] != owed || !isActive[1])) || (!settled[2] && (share[2] != owed || !isActive[2])) -> skip }
     fi
  od;
  settleKnown();
  store(out = !isActive[me]); /* leftToOthers */
  to = 1;
  do
  :: to == N -> break
  :: to < N && (settled[to] || out) -> to++
  :: to < N && !settled[to] && !out ->
#if defined(NO_WITHDRAW)
     ok = true;
     REFUSED(to);
#elif defined(WITHDRAW_STORE)
     store(ok = (share[to] == owed));
     if
     :: ok -> store(share[to] = withdrawn; REFUSED(to))
     :: !ok
     fi;
#else
     atomic { ALIVE(me, gone); CAS(share[to], owed, withdrawn); if :: ok -> REFUSED(to) :: !ok fi };
#endif
     if
     :: ok -> settled[to] = true
     :: !ok
     fi;
     to++
  od;
  settleKnown();
gone:
  to = 0; ok = 0; out = 0; all = 0; seen = 0; settled[1] = 0; settled[2] = 0;
  missed[1] = 0; missed[2] = 0
}

#define IS_GONE (!isActive[0] && cleaned && !(phase == adopted && (share[me] == owed || share[me] == claimed)))

inline deliver() {
  atomic {
    delivered[me] = true;
    assert(!refusedIt[me]);
    assert(isActive[0] || refusedIt[1] || refusedIt[2] || !toldGone[3 - me])
  }
}

proctype Receiver(byte me) {
  bool ok, isGone;
  do
  ::
#ifndef GONE_AFTER
     store(isGone = !isActive[0] && cleaned);
     if
     :: isGone -> store(isGone = !(phase == adopted && (share[me] == owed || share[me] == claimed)))
     :: !isGone
     fi;
#endif
     store(ok = record[me]);
     if
     :: !ok
     :: ok ->
        store(ok = (share[me] == owed));
        if
        :: !ok -> record[me] = false
        :: ok -> /* a record that brings its payload: Inbox::deliverCopy() */
           atomic { ALIVE(me, gone); CAS(share[me], owed, taken); claimedIt[me] = claimedIt[me] || ok };
           record[me] = false;
           if
           :: !ok
           :: ok -> deliver(); break
           fi
        :: ok ->
#ifdef CLAIM_STORE
           store(share[me] = claimed; claimedIt[me] = true);
#else
           atomic { ALIVE(me, gone); CAS(share[me], owed, claimed); claimedIt[me] = claimedIt[me] || ok };
#endif
           record[me] = false;
           if
           :: !ok
           :: ok ->
              store(ok = isActive[me]);
              store(share[me] = taken);
              if
              :: ok -> deliver(); break
              :: !ok -> break
              fi
           fi
        fi
     fi;
#ifdef GONE_AFTER
     store(isGone = IS_GONE);
#endif
     if
     :: isGone ->
#ifdef NO_STANDING
        ok = true;
#else
        store(ok = isActive[me]);
#endif
        if
        :: !ok -> break /* told that it is out */
        :: ok
        fi;
        atomic { toldGone[me] = true;
          assert(refusedIt[1] || refusedIt[2] || !delivered[3 - me]) }; break
     :: !isGone
     fi;
     if
     :: atomic { record[me] -> skip }
     :: atomic { !record[me] && IS_GONE -> skip }
     :: atomic { !isActive[me] -> break }
     :: atomic { MAY_DIE(me) -> DIE(me, gone) }
     :: atomic { refusedIt[me] -> break } /* its own deadline */
     fi
  od;
gone:
  ok = 0; isGone = 0
}

#define GOES(who) (isActive[who] && (dead[who] || evictions > 0))

proctype Cleaner() {
  bool ok;
  byte to;
end:
  do
  :: atomic { GOES(1) -> if :: dead[1] :: !dead[1] -> evictions-- fi; isActive[1] = false }
  :: atomic { GOES(2) -> if :: dead[2] :: !dead[2] -> evictions-- fi; isActive[2] = false }
  :: atomic { GOES(0) -> if :: dead[0] :: !dead[0] -> evictions-- fi; isActive[0] = false };
     atomic { CAS(phase, committed, adopted) };
     cleaned = true
#ifdef ADOPT_ALWAYS
  :: atomic { cleaned && phase == committed -> phase = adopted }
#endif
#ifndef NO_DELIVERY
  :: atomic { cleaned && phase == adopted -> to = 1 };
     do
     :: to == N -> break
     :: to < N ->
        atomic { ok = (share[to] == owed) };
        if :: ok -> atomic { ok = isActive[to] } :: !ok fi;
        if :: ok -> atomic { record[to] = true } :: !ok fi;
        to++
     od;
     to = 0;
     atomic { CAS(phase, adopted, handedOver) }
#endif
  od
}

init { atomic { run Sender(); run Receiver(1); run Receiver(2); run Cleaner() } }
