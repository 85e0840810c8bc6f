/* (5) A mailbox and producers that die in it.
 *
 *   Producer   Mailbox::push                                                 ipc/mailbox/mailbox.cpp
 *   takeLock   SlotLock::lock, takeOver                                      ipc/sync/slot_lock.cpp
 *   Owner      Inbox::take, giveBack; discardAll (the next owner's beginning) ipc/mailbox/inbox.cpp
 *   Cleaner    the slot word in Registry::remove, isOffLocks                 ipc/membership/registry.cpp, protocol/cleanup.cpp
 *
 * Members 0 (owner), 1 and 2 (producers); process 3 is the next owner of slot 0. Two cells. Each store under the lock is
 * a step; loads of what only the lock's holder writes are none. The payload area is left out: a record is a header and
 * a payload word that are stored before `commit`. The Cleaner is some member that survives.
 *
 * P2  what was reported sent to an owner that lives is taken, once, whole, in each sender's order; the mailbox stays usable.
 * P4  nothing of a departed member comes after the clean-up; mail for a former owner does not reach the next.
 * P1  nobody waits for ever (no invalid end state).
 *
 * Broken rules (-D): COMMIT_FIRST, TAIL_FIRST (the owner believes `tail`, stored before the record), NO_STEP_OVER,
 * NO_RECHECK (of the slot words under the lock), TAKE_FROM_LIVING, EARLY_HEAD, NO_FENCE (the clean-up does not wait for
 * or kill an evicted holder) */

#define P 4
#define CELLS 2
#ifndef RECORDS
#define RECORDS 1 /* per producer */
#endif

bool dead[P];
#include "common.pml"

bool isActive[P] = true; /* slot word of the member; process 3: false until it has joined */
bool swept[P];           /* the clean-up after its departure is complete (cleanedView) */
bool ended[P];

byte lock; /* process + 1 */
byte tail, knownHead, head;
byte commit[CELLS], header[CELLS], payload[CELLS], whom[CELLS];

/* Ghosts. A record is sender * 2 + number. */
bool reported[8];
byte reportedTo[8];
bool taken[8];

#ifdef TAKE_FROM_LIVING
#define MAY_TAKE(who) true
#else
#define MAY_TAKE(who) dead[who]
#endif

inline takeLock() {
  do
  :: atomic { lock == 0 -> ALIVE(me, gone); lock = me + 1; break }
  :: atomic { lock != 0 && MAY_TAKE(lock - 1) -> ALIVE(me, gone); seen = lock };
     atomic {
       ALIVE(me, gone);
       if
       :: lock == seen -> lock = me + 1; break
       :: else
       fi
     }
  :: atomic { MAY_DIE(me) -> DIE(me, gone) }
  od;
  seen = 0
}

#define store(...) atomic { ALIVE(me, gone); __VA_ARGS__ }

#define OWNER (owner3 -> 3 : 0)
bool owner3; /* process 3 has the slot */

proctype Producer(byte me) {
  byte number, seen, at, to;
  bool ok;

  do
  :: number == RECORDS -> break
  :: number < RECORDS ->
     atomic { ALIVE(me, gone); to = OWNER };
     do
     :: store(ok = isActive[me]);
        if :: ok :: !ok -> goto out fi;
        store(ok = isActive[to]);
        if :: ok :: !ok -> goto refused fi;
        takeLock();
#ifndef NO_RECHECK
        store(ok = isActive[me]);
        if :: ok -> store(ok = isActive[to]) :: !ok fi;
        if
        :: ok
        :: !ok -> store(lock = 0); goto refused
        fi;
#endif
        atomic {
          ALIVE(me, gone);
          at = tail;
#ifndef NO_STEP_OVER
          do
          :: commit[at % CELLS] == at + 1 -> at++
          :: else -> break
          od;
#endif
          ok = (at - knownHead < CELLS)
        };
        if
        :: ok
        :: !ok -> store(knownHead = head; ok = (at - knownHead < CELLS))
        fi;
        if
        :: ok -> break
        :: !ok -> /* full */
           store(lock = 0);
           if
           :: atomic { !isActive[to] || !isActive[me] || at - head < CELLS -> at = 0 }
           :: atomic { MAY_DIE(me) -> DIE(me, gone) }
           fi
        fi
     od;
#ifdef TAIL_FIRST
     store(tail = at + 1);
#endif
#ifdef COMMIT_FIRST
     store(commit[at % CELLS] = at + 1);
#endif
     store(payload[at % CELLS] = me * 2 + number);
     store(header[at % CELLS] = me * 2 + number; whom[at % CELLS] = to);
#ifndef COMMIT_FIRST
     store(assert(!swept[me]); commit[at % CELLS] = at + 1);
#endif
#ifndef TAIL_FIRST
     store(tail = at + 1);
#endif
     store(lock = 0);
     store(reported[me * 2 + number] = true; reportedTo[me * 2 + number] = to);
refused:
     number++;
     at = 0
  od;
out:
  ended[me] = true;
gone:
  seen = 0; at = 0; ok = 0; to = 0
}

#define ENDED(who) (ended[who] || dead[who])
#ifdef TAIL_FIRST
#define THERE (tail > at)
#else
#define THERE (commit[at % CELLS] == at + 1)
#endif

proctype Owner(byte me) {
  byte seen, at, what, i;
  byte last[3];

  if
  :: me == 0
  :: me == 3 -> /* Inbox(): discardAll() */
     takeLock();
     atomic { /* the tail, as far as it was committed */
       ALIVE(me, gone);
       at = tail;
       if :: commit[0] > at && commit[0] - at <= CELLS -> at = commit[0] :: else fi;
       if :: commit[1] > at && commit[1] - at <= CELLS -> at = commit[1] :: else fi
     };
     store(head = at);
     store(knownHead = at);
     store(tail = at);
     store(lock = 0);
     store(owner3 = true; isActive[3] = true)
  fi;
  do
  :: atomic { THERE -> ALIVE(me, gone); assert(commit[at % CELLS] <= at + 1) };
#ifdef EARLY_HEAD
     store(head = at + 1);
#endif
     store(what = header[at % CELLS]; i = whom[at % CELLS]);
     store(seen = payload[at % CELLS]);
     assert(seen == what);
     assert(i == me);
     assert(!taken[what]);
     taken[what] = true;
     assert(last[what / 2] <= what);
     last[what / 2] = what;
     at++;
#ifndef EARLY_HEAD
     store(head = at);
#endif
     what = 0; seen = 0; i = 0
  :: atomic { MAY_DIE(me) -> DIE(me, gone) }
  :: atomic {
       ENDED(1) && ENDED(2) && !THERE ->
       for (i : 0 .. 7) { assert(!reported[i] || reportedTo[i] != me || taken[i]) }
       i = 0;
       break
     }
  od;
gone:
  at = 0; what = 0; i = 0; seen = 0
}

#define GOES(who) (isActive[who] && (dead[who] || evictions > 0))

proctype Cleaner() {
  byte one;
end:
  do
  :: atomic {
       GOES(0) || GOES(1) || GOES(2) ->
       if :: GOES(0) -> one = 0 :: GOES(1) -> one = 1 :: GOES(2) -> one = 2 fi;
       if :: dead[one] :: !dead[one] -> evictions-- fi;
       isActive[one] = false
     };
#ifndef NO_FENCE
     if /* isOffLocks(): nobody kills who is gone, waits for who is about to release, or else kills it */
     :: atomic { lock != one + 1 || dead[one] -> skip }
     :: atomic { lock == one + 1 && !dead[one] -> dead[one] = true }
     fi;
#endif
     atomic {
       swept[one] = true;
       if
       :: one == 0 && dead[0] -> run Owner(3) /* reclaim(), claim() */
       :: else
       fi;
       one = 0
     }
  od
}

init {
  atomic {
    isActive[3] = false;
    run Owner(0); run Producer(1); run Producer(2); run Cleaner()
  }
}
