/* (3) Barrier rounds.
 *
 *   Member     Barrier::synchronize, arrive, giveUp, outcomeOf               ipc/protocol/barrier.cpp
 *   openState  OpenState's constructor, repair                               ipc/protocol/barrier.cpp
 *   settleDepartures, complete, failRound, countArrivals, countLiving        OpenState's functions
 *   Registrar  Registry::remove, admit (a newcomer), installNext             ipc/membership/registry.cpp
 *   Cleaner    cleanUp, Barrier::onViewChange, reclaim of a slot             ipc/protocol/cleanup.cpp, registry.cpp
 *
 * Everything but `round` is accessed under the lock; each store there is a step, before which the holder may die. Loads
 * of what only the holder of the lock writes need no step of their own. Slot words and the view number change at any time.
 * Waiting is for the condition itself: which wake ends it, is in token.pml. The entry that names the members concerned
 * of a failed round is left out. Members 0, 1, 2 are in view 1; member 3 takes slot 0 once its owner is gone.
 *
 * P4  the outcome of a round is the same for all its participants.
 * P4  a round passes only if as many members as it needs have arrived at it that were active after the last arrival.
 * P1  nobody waits for ever, with patient members (no invalid end state).
 *
 * By default all call synchronize() with the members of the view as N; with CALLED=2, or DISAGREE (members 0 and 2 say 2,
 * member 1 says 3), a member may be left waiting alone.
 *
 * Broken rules (-D): NO_TAKE_BACK, NO_STANDING (an outcome is believed without asking whether we still are a member:
 * found by this model), VERDICT_AFTER, NO_REPAIR, NO_SECOND_LOOK, UNLOCKED_ARRIVAL, NO_SETTLE */

#define N 3
#define P 4 /* processes */
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef CALLERS
#define CALLERS 7 /* members 0, 1, 2 that call, as bits; the others stop at once: a departure */
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0
#endif
#ifdef DISAGREE
#define CALLED
#define N_OF_CALL (me == 1 -> 3 : 2)
#elif defined(CALLED)
#define N_OF_CALL CALLED
#else
#define N_OF_CALL 0 /* all members of the view */
#endif
#ifndef NEWCOMERS
#define NEWCOMERS 1
#endif

bool dead[P];
#include "common.pml"

byte timeouts = TIMEOUTS;

/* Slots: who is in it (process + 1), is it active. */
byte owner[N];
bool isActive[N] = true;
byte joinedView[N] = 1;
byte departedView[N]; /* of the last member that left the slot; the entry in `departures` of later views */
byte viewNumber = 1;
byte cleanedView = 1;
byte viewSize[8];
byte inView[N]; /* process + 1 in the current view; the registry's business alone */
bool newcomer = NEWCOMERS; /* still to come */
bool finished[P];

/* BarrierState. */
byte lock; /* process + 1 */
byte needed;
bool everybody;
byte startView;
byte round;
byte arrived[N];
byte verdictRound[N]; /* one word in the code */
byte verdictWhy[N];

mtype = { pass, mismatch, peerFailed, timedOut };

/* Ghost: the outcome of each round as its first participant learned it. */
mtype outcome[8];
/* Who has arrived at which round, and who was a member at the last arrival. */
byte here[P];
bool wasMember[P];
#define IS_MEMBER(p) (isActive[p % N] && owner[p % N] == p + 1)
#define ARRIVES(round) \
  here[me] = round; \
  wasMember[0] = IS_MEMBER(0); wasMember[1] = IS_MEMBER(1); wasMember[2] = IS_MEMBER(2); wasMember[3] = IS_MEMBER(3)
#define CAME(p) (here[p] == round + 1 && wasMember[p])

#define IS(slot) (isActive[slot] && owner[slot] == me + 1)

inline takeLock(died) {
  died = false;
  do
  :: atomic { lock == 0 -> ALIVE(me, gone); lock = me + 1; break }
  :: atomic { lock != 0 && dead[lock - 1] -> ALIVE(me, gone); lock = me + 1; died = true; break }
  :: atomic { MAY_DIE(me) -> DIE(me, gone) }
  od
}

/* OpenState::arrivals(): at the round in progress, by active members. */
inline countArrivals() {
  count = 0;
  i = 0;
  do
  :: i == N -> break
  :: i < N && arrived[i] != round + 1 -> i++
  :: i < N && arrived[i] == round + 1 -> atomic { ALIVE(me, gone); count = count + isActive[i]; i++ }
  od;
  i = 0
}

inline complete() { atomic { ALIVE(me, gone); round++ } }
inline passRound() {
  atomic {
    ALIVE(me, gone);
    assert(CAME(0) + CAME(1) + CAME(2) + CAME(3) >= needed);
    round++
  }
}

/* OpenState::fail() */
inline failRound(reason) {
#ifdef VERDICT_AFTER
  complete();
#endif
  i = 0;
  do
  :: i == N -> break
#ifdef VERDICT_AFTER
  :: i < N && arrived[i] != round -> i++
  :: i < N && arrived[i] == round -> atomic { ALIVE(me, gone); verdictRound[i] = round; verdictWhy[i] = reason; i++ }
#else
  :: i < N && arrived[i] != round + 1 -> i++
  :: i < N && arrived[i] == round + 1 ->
     atomic { ALIVE(me, gone); verdictRound[i] = round + 1; verdictWhy[i] = reason; i++ }
#endif
  od;
  i = 0;
#ifndef VERDICT_AFTER
  complete()
#else
  skip
#endif
}

inline openState() {
  takeLock(flag);
#ifndef NO_REPAIR
  if
  :: flag ->
     i = 0;
     do
     :: i == N -> break
     :: i < N && verdictRound[i] != round + 1 -> i++
     :: i < N && verdictRound[i] == round + 1 -> atomic { ALIVE(me, gone); verdictRound[i] = 0; verdictWhy[i] = 0; i++ }
     od;
     countArrivals();
     if
     :: count > 0 && count >= needed -> passRound()
     :: else
     fi
  :: !flag
  fi
#endif
}

/* OpenState::settleDepartures(view); leaves the arrivals in `count`. */
inline settleDepartures(seenView) {
  count = 0;
  i = 0;
  do
  :: i == N -> break
  :: i < N && arrived[i] == 0 -> i++
  :: i < N && arrived[i] != 0 ->
     atomic { ALIVE(me, gone); flag = isActive[i] };
     if
#ifndef NO_TAKE_BACK
     :: !flag -> atomic { ALIVE(me, gone); arrived[i] = 0 }
#else
     :: !flag
#endif
     :: flag -> count = count + (arrived[i] == round + 1)
     fi;
     i++
  od;
  i = 0;
  if
  :: count > 0 && seenView != startView &&
     ((departedView[0] > startView && departedView[0] <= seenView) ||
      (departedView[1] > startView && departedView[1] <= seenView) ||
      (departedView[2] > startView && departedView[2] <= seenView)) ->
     living = 0; /* livingOfRound() */
     do
     :: i == N -> break
     :: i < N -> atomic {
          ALIVE(me, gone);
          living = living + (isActive[i] && (!everybody || (joinedView[i] != 0 && joinedView[i] <= startView)));
          i++
        }
     od;
     i = 0;
     if
     :: living < needed ->
#ifndef NO_SETTLE
        failRound(peerFailed);
        count = 0
#else
        skip
#endif
     :: else
     fi
  :: else
  fi
}

inline unlock() { atomic { ALIVE(me, gone); lock = 0 } }

inline learn(why) {
  assert(outcome[mine] == 0 || outcome[mine] == why);
  outcome[mine] = why
}

proctype Member(byte me; byte slot) {
  byte rounds = (me == 3 || (CALLERS >> me) & 1 -> ROUNDS : 0);
  byte i, count, living, view, mine, callN;
  bool flag, stale;

  do
  :: rounds == 0 -> break
  :: rounds > 0 ->
     rounds--;
     callN = N_OF_CALL;
     do /* synchronize() */
     :: atomic { ALIVE(me, gone); view = viewNumber };
#ifndef UNLOCKED_ARRIVAL
        openState();
#endif
        atomic { ALIVE(me, gone); flag = IS(slot) };
        if
        :: !flag -> unlock(); goto out
        :: flag
        fi;
        atomic { ALIVE(me, gone); flag = (view == viewNumber) };
        if
        :: !flag -> unlock(); goto again
        :: flag
        fi;
        settleDepartures(view);
        mine = round + 1;
        stale = false;
        if
        :: count == 0 ->
           atomic { ALIVE(me, gone); needed = (callN == 0 -> viewSize[view] : callN) };
           atomic { ALIVE(me, gone); everybody = (callN == 0) };
           atomic { ALIVE(me, gone); startView = view }
        :: count != 0 && everybody && joinedView[slot] > startView -> stale = true
        :: count != 0 && !(everybody && joinedView[slot] > startView) && callN == 0 && everybody
        :: count != 0 && !(everybody && joinedView[slot] > startView) && !(callN == 0 && everybody) ->
           if
           :: needed != (callN == 0 -> viewSize[view] : callN) ->
              atomic { ALIVE(me, gone); arrived[slot] = mine; ARRIVES(mine) };
              failRound(mismatch);
              goto arrivedNow
           :: else
           fi
        fi;
        if
        :: stale
        :: !stale ->
           atomic { ALIVE(me, gone); arrived[slot] = mine; ARRIVES(mine) };
           if
           :: count + 1 >= needed ->
#ifndef NO_SECOND_LOOK
              countArrivals();
#else
              count = needed;
#endif
              if
              :: count >= needed -> passRound()
              :: else
              fi
           :: else
           fi
        fi;
arrivedNow:
#ifndef UNLOCKED_ARRIVAL
        unlock();
#endif
#ifdef CALLED /* with an N of their choice: who comes alone may wait for ever */
end_alone:
#endif
        if /* wait() */
        :: atomic { round >= mine -> ALIVE(me, gone) }
        :: atomic { round < mine && !IS(slot) -> ALIVE(me, gone); goto out }
        :: atomic { MAY_DIE(me) -> DIE(me, gone) }
        :: atomic { timeouts > 0 && round < mine -> timeouts--; ALIVE(me, gone) }
           if
           :: stale -> goto out
           :: !stale
           fi;
           openState(); /* giveUp() */
           if
           :: round + 1 == mine -> failRound(timedOut)
           :: else
           fi;
           unlock()
        fi;
        if
        :: stale
        :: !stale -> break
        fi;
again:  skip
     od;
     /* outcomeOf() */
     atomic {
       ALIVE(me, gone);
       flag = (verdictRound[slot] == mine);
       if
       :: flag -> living = verdictWhy[slot]
       :: else -> living = pass
       fi
     };
#ifndef NO_STANDING
     /* Our arrival may have been taken back, and the round failed without a verdict for us. */
     atomic { ALIVE(me, gone); stale = (living == pass && !IS(slot)) };
     if
     :: stale -> goto out
     :: !stale
     fi;
#endif
     atomic { ALIVE(me, gone); learn(living) }
  od;
out:
  finished[me] = true; /* stop(): whoever waits for us is told by the view */
gone:
  i = 0; count = 0; living = 0; view = 0; mine = 0; callN = 0; flag = 0; stale = 0
}

/* The registry's lock: one change at a time. A proposer that dies between the two stores is completed by the next. */
#define LEAVES(s) (isActive[s] && (dead[owner[s] - 1] || finished[owner[s] - 1] || evictions > 0))
#define UNFINISHED(s) (inView[s] != 0 && !(isActive[s] && owner[s] == inView[s]))
#define FREE (newcomer && !isActive[0] && dead[owner[0] - 1] && departedView[0] != 0 && departedView[0] <= cleanedView)

inline shutOut(s) {
  if
  :: !dead[owner[s] - 1] && !finished[owner[s] - 1] -> evictions--
  :: else
  fi;
  isActive[s] = false
}

proctype Registrar() {
  byte i;
end:
  do
  :: atomic { LEAVES(0) -> shutOut(0) }
  :: atomic { LEAVES(1) -> shutOut(1) }
  :: atomic { LEAVES(2) -> shutOut(2) }
  :: atomic { FREE && !UNFINISHED(1) && !UNFINISHED(2) -> /* claim(), admit(): the newcomer's word, then the view */
       newcomer = false;
       owner[0] = 4;
       joinedView[0] = viewNumber + 1;
       isActive[0] = true
     };
     atomic {
       viewNumber++;
       inView[0] = 4;
       viewSize[viewNumber] = (inView[0] != 0) + (inView[1] != 0) + (inView[2] != 0);
       run Member(3, 0)
     }
  :: atomic { UNFINISHED(0) || UNFINISHED(1) || UNFINISHED(2) -> /* installNext() */
       for (i : 0 .. N - 1) {
         if
         :: UNFINISHED(i) -> departedView[i] = viewNumber + 1; inView[i] = 0
         :: else
         fi
       }
       i = 0;
       viewNumber++;
       viewSize[viewNumber] = (inView[0] != 0) + (inView[1] != 0) + (inView[2] != 0)
     }
  od
}

/* Who is in the clean-up; as process 0, 1 or 2, or the newcomer. */
#define CAN(s) (isActive[s] && !dead[owner[s] - 1])

proctype Cleaner() {
  byte me, slot, i, count, living, view;
  bool flag;
gone:
  atomic { me = 0; slot = 0; i = 0; count = 0; living = 0; view = 0; flag = 0 };
end:
  atomic {
    (lock == 0 || dead[lock - 1]) && cleanedView != viewNumber && (CAN(0) || CAN(1) || CAN(2)) ->
    if :: CAN(0) -> slot = 0 :: CAN(1) -> slot = 1 :: CAN(2) -> slot = 2 fi;
    me = owner[slot] - 1
  };
  atomic { ALIVE(me, gone); view = viewNumber };
  atomic { /* one attempt (passedAlready): otherwise again later */
    ALIVE(me, gone);
    if
    :: lock != 0 && !dead[lock - 1] -> goto gone
    :: else
    fi
  };
  openState();
  settleDepartures(view);
  unlock();
  atomic { ALIVE(me, gone); flag = (isActive[slot] && owner[slot] == me + 1) };
  if
  :: !flag -> goto gone
  :: flag
  fi;
  atomic { ALIVE(me, gone); cleanedView = view };
  goto gone
}

init {
  atomic {
    owner[0] = 1; owner[1] = 2; owner[2] = 3;
    inView[0] = 1; inView[1] = 2; inView[2] = 3;
    viewSize[1] = 3;
    run Member(0, 0); run Member(1, 1); run Member(2, 2);
    run Registrar();
    run Cleaner()
  }
}
