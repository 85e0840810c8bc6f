/* (1) The critical section's token and its repair after a view change.
 *
 *   Member     TokenRing::request, tryEnter, withdraw, release, successor     ipc/protocol/token_ring.cpp
 *   Registrar  Registry::remove, installNext (as far as the token sees it)    ipc/membership/registry.cpp
 *   Cleaner    cleanUp, cleanUpAfter, TokenRing::onViewChange                 ipc/protocol/cleanup.cpp, token_ring.cpp
 *   bell       WakeWord and waitUntil without their slices: no wake is lost   ipc/sync/wake_word.hpp, wait.hpp
 *
 * Only one service thread at a time is inside Registry::remove (registryLock) and one inside cleanUp (cleanupLock);
 * each lock is one process here, which plays the member that has it, and begins anew with another when that one dies.
 * Left out: newcomers, and `tokenFrom`, which is for display.
 * How a lock passes on from the dead is in mailbox.pml, how a view is written and read in membership.pml.
 *
 * P3  at most one member per fence number; it only grows; of the members not departed at most one is inside.
 * P1  nobody waits for ever (no invalid end state).
 *
 * Broken rules (-D): NO_BUMP_ELSEWHERE, NO_RESCAN, NO_FENCE, NO_RETRY (a tryEnter() that does not look
 * again when only the repair number changed: found by this model), NO_WITHDRAW_BUMP, VIEW_FIRST, STANDING_FIRST, NO_CAS */

#define N 3
#ifndef ASKING
#define ASKING 3 /* who calls requestSC, as bits; the others are in the ring, and may hold, clean up, die or be evicted */
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 1
#endif

bool dead[N];
#include "common.pml"

byte timeouts = TIMEOUTS; /* calls that may still reach their deadline */

/* Token (layout.hpp): fence, repair, held, holder = slot + 1 or 0. */
#define FENCE(w) ((w) >> 8)
#define REPAIR(w) (((w) >> 3) & 31)
#define HELD(w) (((w) >> 2) & 1)
#define HOLDER(w) ((w) & 3)
#define TOKEN(fence, repair, held, holder) (((fence) << 8) | (((repair) & 31) << 3) | ((held) << 2) | (holder))

#ifdef FOUNDING
short token = 0; /* nobody yet: the founding view's clean-up gives it to the last */
byte cleanedView = 0;
#else
short token = TOKEN(0, 1, 0, N);
byte cleanedView = 1;
#endif
bool wants[N];
bool isActive[N] = true;
byte bell[N]; /* WakeWord: 1 = somebody announced a sleep, 2 = rung since, 0 = neither */
byte viewNumber = 1;
byte viewOf[8]; /* members of view n, as bits; written once (membership.pml) */

#define IN(view, slot) ((viewOf[view] >> (slot)) & 1)
/* Ring of the view, by arrival = slot: who comes after `slot`; `slot` if alone. */
#define AFTER(view, slot) \
  (IN(view, ((slot) + 1) % N) -> ((slot) + 1) % N : (IN(view, ((slot) + 2) % N) -> ((slot) + 2) % N : (slot)))
#define FIRST(view) (IN(view, 0) -> 0 : (IN(view, 1) -> 1 : 2))

#define RING(slot) bell[slot] = (bell[slot] == 0 -> 0 : 2)

/* Ghosts. */
byte granted; /* fences under which somebody entered */
byte lastFence;
bool inside[N];

#define ACCEPT(new) assert(FENCE(new) >= FENCE(token)); token = new

inline tryEnter() {
  got = false;
  do
  ::
#ifdef STANDING_FIRST
     atomic { ALIVE(me, gone); standing = isActive[me] };
#endif
     atomic {
       ALIVE(me, gone);
       seen = token;
       if
       :: (HELD(seen) && HOLDER(seen) != me + 1) || HOLDER(seen) == 0 -> seen = 0; break
       :: else
       fi
     };
     atomic {
#ifndef STANDING_FIRST
       ALIVE(me, gone);
       standing = isActive[me];
#endif
       if
       :: !standing -> seen = 0; break
       :: standing && HELD(seen) -> got = true; break /* it was handed to us */
       :: standing && !HELD(seen)
       fi
     };
     atomic {
       ALIVE(me, gone);
       if
       :: token == seen ->
#ifdef NO_FENCE
          ACCEPT(TOKEN(FENCE(seen), REPAIR(seen), 1, me + 1));
#else
          ACCEPT(TOKEN(FENCE(seen) + 1, REPAIR(seen), 1, me + 1));
#endif
          seen = token;
          got = true;
          break
       :: else -> seen = 0
#ifdef NO_RETRY
          ; break
#endif
       fi
     }
  od
}

/* The caller is in the section, as its program sees it. */
inline entered() {
  atomic {
    ALIVE(me, gone);
    fence = FENCE(seen);
    assert(((granted >> fence) & 1) == 0);
    granted = granted | (1 << fence);
    inside[me] = true;
    if
    :: isActive[me] ->
       assert(!(inside[(me + 1) % N] && isActive[(me + 1) % N] && !dead[(me + 1) % N]));
       assert(!(inside[(me + 2) % N] && isActive[(me + 2) % N] && !dead[(me + 2) % N]));
       assert(fence > lastFence);
       lastFence = fence
    :: else
    fi
  }
}

inline withdraw() {
  do
  :: atomic {
       ALIVE(me, gone);
       seen = token;
       if
       :: HELD(seen) && HOLDER(seen) == me + 1 -> got = true; break
       :: else
       fi
     };
#ifdef NO_WITHDRAW_BUMP
     seen = 0;
     break
#else
     atomic {
       ALIVE(me, gone);
       if
       :: token == seen -> ACCEPT(TOKEN(FENCE(seen), REPAIR(seen) + 1, HELD(seen), HOLDER(seen))); seen = 0; break
       :: else -> seen = 0
       fi
     }
#endif
  od
}

inline release() {
  atomic { ALIVE(me, gone); inside[me] = false };
  do
  :: atomic {
       ALIVE(me, gone);
       seen = token;
       if
       :: !HELD(seen) || HOLDER(seen) != me + 1 || FENCE(seen) != fence -> break /* evicted: it was moved on */
       :: else
       fi
     };
     atomic {
       ALIVE(me, gone);
       view = viewNumber; /* lookAtRing() */
       start = (IN(view, me) -> me : FIRST(view));
       next = AFTER(view, start);
       wanting = false
     };
     do /* successor() */
     :: next == start -> break
     :: else ->
        atomic {
          ALIVE(me, gone);
          wanting = wants[next];
          if
          :: !wanting -> next = AFTER(view, next)
          :: wanting
          fi
        };
        if
        :: !wanting
        :: wanting -> atomic {
             ALIVE(me, gone);
             wanting = isActive[next];
             if
             :: wanting -> break
             :: !wanting -> next = AFTER(view, next)
             fi
           }
        fi
     od;
     atomic {
       ALIVE(me, gone);
       if
       :: !wanting -> next = (viewOf[view] == 0 -> me : AFTER(view, start))
       :: else
       fi;
       if
#ifdef NO_CAS
       :: true ->
#else
       :: token == seen ->
#endif
          ACCEPT(TOKEN((wanting -> fence + 1 : fence), REPAIR(seen), wanting, next + 1));
          seen = 0; view = 0; start = 0;
          got = true
       :: else -> seen = 0; got = false
       fi
     };
     if
     :: !got
     :: got && wanting -> atomic { ALIVE(me, gone); RING(next); break }
     :: got && !wanting ->
#ifndef NO_RESCAN
        next = 0;
        do
        :: next == N -> break
        :: next < N ->
           atomic { ALIVE(me, gone); wanting = wants[next]; if :: !wanting -> next++ :: wanting fi };
           if
           :: !wanting
           :: wanting -> atomic { ALIVE(me, gone); RING(next); next++ }
           fi
        od;
#endif
        break
     fi
  od
}

proctype Member(byte me) {
  byte rounds = (ASKING >> me) & 1;
  short seen;
  byte fence, view, start, next;
  bool got, standing, wanting;

  do
  :: rounds == 0 -> break
  :: rounds > 0 ->
     rounds--;
     tryEnter();
     if
     :: got
     :: !got ->
        atomic { ALIVE(me, gone); wants[me] = true };
        do
        :: atomic { ALIVE(me, gone); bell[me] = 1 }; /* WakeWord::announce() */
           tryEnter();
           if
           :: got -> break
           :: !got
           fi;
           atomic { ALIVE(me, gone); standing = isActive[me] };
           if
           :: !standing -> break
           :: standing
           fi;
           if
           :: atomic { MAY_DIE(me) -> DIE(me, gone) }
           :: atomic { bell[me] == 2 -> bell[me] = 0 }
           :: atomic { timeouts > 0 -> timeouts--; break }
           fi
        od;
        atomic { ALIVE(me, gone); wants[me] = false; bell[me] = 0 };
        if
        :: got
        :: !got -> withdraw()
        fi
     fi;
     if
     :: got -> entered(); release()
     :: !got
     fi
  od;
gone:
  seen = 0; fence = 0; view = 0; start = 0; next = 0; got = 0; standing = 0; wanting = 0
}

#define CAN(who) (isActive[who] && !dead[who])
#define MAY_REMOVE(by, one) (CAN(by) && isActive[one] && (dead[one] || evictions > 0))
#define CHOOSE(b, o) MAY_REMOVE(b, o) -> by = b; one = o
#define UNFINISHED(slot) (IN(viewNumber, slot) && !isActive[slot])

/* One ring for each; that the ringing member dies half-way is followed by the next view change, which rings again. */
inline ringAll() {
  atomic { ALIVE(by, again); RING(0); RING(1); RING(2) }
}

inline install() {
  atomic {
    ALIVE(by, again);
    viewOf[viewNumber + 1] = 0;
    for (i : 0 .. N - 1) {
      if
      :: IN(viewNumber, i) && isActive[i] -> viewOf[viewNumber + 1] = viewOf[viewNumber + 1] | (1 << i)
      :: else
      fi
    }
#ifdef VIEW_FIRST
    viewOf[viewNumber + 1] = viewOf[viewNumber + 1] & (7 - (1 << one));
#endif
    i = 0;
    viewNumber++
  }
}

inline shutOut() {
  atomic {
    ALIVE(by, again);
    if
    :: isActive[one] && !dead[one] -> evictions--
    :: else
    fi;
    isActive[one] = false
  }
}

proctype Registrar() {
  byte by, one, i;
again:
  atomic { by = 0; one = 0; i = 0 };
end:
  if
  :: atomic { CHOOSE(0, 1) } :: atomic { CHOOSE(0, 2) } :: atomic { CHOOSE(1, 0) }
  :: atomic { CHOOSE(1, 2) } :: atomic { CHOOSE(2, 0) } :: atomic { CHOOSE(2, 1) }
  :: atomic { (UNFINISHED(0) || UNFINISHED(1) || UNFINISHED(2)) && (CAN(0) || CAN(1) || CAN(2)) ->
       if :: CAN(0) -> by = 0 :: CAN(1) -> by = 1 :: CAN(2) -> by = 2 fi;
       one = by;
       goto view
     }
  fi;
#ifdef VIEW_FIRST
  install();
  shutOut();
#else
  shutOut();
view:
  install();
#endif
#ifdef VIEW_FIRST
  if :: false -> view: install() :: else fi;
#endif
  ringAll();
  goto again
}

proctype Cleaner() {
  byte by, view;
  short seen;
  bool stays;
again:
  atomic { by = 0; view = 0; seen = 0; stays = false };
end:
  atomic { cleanedView != viewNumber && (CAN(0) || CAN(1) || CAN(2)) ->
    if :: CAN(0) -> by = 0 :: CAN(1) -> by = 1 :: CAN(2) -> by = 2 fi
  };
  atomic { ALIVE(by, again); view = viewNumber };
  atomic { ALIVE(by, again); stays = isActive[by] };
  if
  :: !stays -> goto again
  :: stays
  fi;
  do /* TokenRing::onViewChange() */
  :: atomic { ALIVE(by, again); seen = token };
     if
     :: HOLDER(seen) != 0 -> atomic { ALIVE(by, again); stays = IN(view, HOLDER(seen) - 1) && isActive[HOLDER(seen) - 1] }
     :: else
     fi;
     atomic {
       ALIVE(by, again);
       if
       :: token != seen
       :: token == seen && HOLDER(seen) == 0 -> ACCEPT(TOKEN(0, REPAIR(seen) + 1, 0, N)); break
       :: token == seen && HOLDER(seen) != 0 && stays ->
#ifndef NO_BUMP_ELSEWHERE
          ACCEPT(TOKEN(FENCE(seen), REPAIR(seen) + 1, HELD(seen), HOLDER(seen)));
#endif
          break
       :: token == seen && HOLDER(seen) != 0 && !stays ->
          ACCEPT(TOKEN(FENCE(seen), REPAIR(seen) + 1, 0, AFTER(view, HOLDER(seen) - 1) + 1));
          break
       fi
     }
  od;
  atomic { ALIVE(by, again); stays = isActive[by] };
  if
  :: !stays -> goto again
  :: stays
  fi;
  atomic { ALIVE(by, again); cleanedView = view };
  ringAll();
  goto again
}

init {
  atomic {
    viewOf[1] = 7;
    run Member(0); run Member(1); run Member(2);
    run Registrar();
    run Cleaner()
  }
}
