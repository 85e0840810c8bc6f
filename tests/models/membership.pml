/* (2) Registration, and the installation and reading of views.
 *
 *   Process    Registry::tryClaim, admit; then the member's life, stop()      ipc/membership/registry.cpp, joined_member.cpp
 *   Service    Registry::findDead, remove, reclaim; cleanUp as one step       ipc/membership/registry.cpp, service_thread.cpp
 *   install    Registry::installNext, Views::install                          ipc/membership/registry.cpp, views.cpp
 *   Reader     Views::current, at                                             ipc/membership/views.cpp
 *   takeLock   SlotLock::lock, takeOver (in parts in mailbox.pml)             ipc/sync/slot_lock.cpp
 *
 * Processes 0 to 2 found the group; process 3 comes later and needs the slot of one that is gone. Every store to the
 * segment is a step, before which its process may die. A file lock is the kernel's: it is vacant once its process is dead.
 * The Service is the service thread of any living member and begins anew with another when that one dies. Two view
 * buffers instead of eight, so that one is written again soon; a view is the incarnation in each slot, 0 for nobody.
 * Left out: names, arrival order, full groups (a newcomer that finds no slot is let go), a group whose members are
 * all dead (the file's business).
 *
 * P4  a view number means one thing: what a reader believes is what was installed.
 * P4  who is missing in a view was shut out before it, unless it is not yet in one.
 * P4  a member (slot, incarnation) is one process, for good.
 * P1  in the end the view is exactly the living members, and nobody waits for ever.
 *
 * Broken rules (-D): VIEW_FIRST (the number before the buffer), NO_LOOK_BACK (a copy is believed without looking at
 * the number again), WORD_LATE (the slot word after the view), SAME_INCARNATION, STALE_DEATH (who was dead before the
 * lock was had is not looked at again), NO_TAKEOVER */

#define N 3 /* slots */
#define P 4 /* processes */
#ifndef NEWCOMER
#define NEWCOMER 1
#endif
#ifndef FOUNDERS
#define FOUNDERS 3
#endif
#ifndef LEAVERS
#define LEAVERS 0 /* founders that stop() at once, as bits */
#endif

bool dead[P];
#include "common.pml"

mtype = { vacant, joining, admitted, departed };

/* Slots. */
byte incarnation[N];
mtype phase[N] = vacant; /* one word with the incarnation in the code */
byte owner[N];         /* who has the file lock: process + 1; it counts while that process lives */
bool joinedView[N];    /* is it in a view */
byte departedView[N];

byte lock; /* registryLock: process + 1 */
byte viewNumber, cleanedView;
byte bufferNumber[2];
byte buffer[6]; /* of view n: 3 * (n % 2) + slot */

bool left[P]; /* has given back its slot's file lock */
bool in[P];   /* has been admitted, and neither died nor left */
bool timeout_end; /* nothing more can happen: whoever still waits may go home */

/* Ghosts. */
byte who[12];      /* process + 1 of (slot, incarnation), at 4 * slot + incarnation */
byte truth[48];    /* of view n: 4 * n + slot */

#define HAS_LOCK(slot) (owner[slot] != 0 && !dead[owner[slot] - 1] && !left[owner[slot] - 1])
/* The process of (slot, incarnation), as its life word tells. */
#define OCCUPANT(slot) (who[4 * (slot) + incarnation[slot]] - 1)
#define store(...) atomic { ALIVE(me, gone); __VA_ARGS__ }

#define CLAIMABLE(slot) ((phase[slot] == vacant || phase[slot] == joining) && !HAS_LOCK(slot))

inline takeLock() {
  do
  :: atomic { lock == 0 -> ALIVE(me, gone); lock = me + 1; break }
#ifndef NO_TAKEOVER
  :: atomic { lock != 0 && dead[lock - 1] -> ALIVE(me, gone); lock = me + 1; break }
#endif
  :: atomic { MAY_DIE(me) -> DIE(me, gone) }
  od
}

#define IN_CURRENT(slot) (viewNumber > 0 && truth[4 * viewNumber + (slot)] == incarnation[slot] && incarnation[slot] != 0)
#define STAYS(slot) (viewNumber > 0 && truth[4 * viewNumber + (slot)] != 0 && \
                     truth[4 * viewNumber + (slot)] == incarnation[slot] && phase[slot] == admitted)

/* By the holder of the lock. `newcomer`: slot + 1 of who joins; all who are admitted found the first view. */
inline install(newcomer) {
  i = 0;
  changed = false;
  do
  :: i == N -> break
  :: i < N ->
     atomic {
       ALIVE(me, gone);
       next[i] = (STAYS(i) || (phase[i] == admitted && (viewNumber == 0 || newcomer == i + 1)) -> incarnation[i] : 0);
#ifdef WORD_LATE
       if :: one == i -> next[i] = 0 :: else fi;
#endif
       changed = changed || (next[i] != truth[4 * viewNumber + i]);
       i++
     }
  od;
  i = 0;
  do
  :: i == N || !changed -> break
  :: i < N && changed ->
     if
     :: viewNumber > 0 && truth[4 * viewNumber + i] != 0 && next[i] == 0 -> store(departedView[i] = viewNumber + 1)
     :: next[i] != 0 && !joinedView[i] -> store(joinedView[i] = true)
     :: else
     fi;
     i++
  od;
#ifdef VIEW_FIRST
  if :: changed -> commitView() :: !changed fi;
#endif
  i = 0;
  do
  :: i == N || !changed -> break
#ifdef VIEW_FIRST
  :: i < N && changed -> store(buffer[3 * (viewNumber % 2) + i] = next[i]); i++
#else
  :: i < N && changed -> store(buffer[3 * ((viewNumber + 1) % 2) + i] = next[i]); i++
#endif
  od;
  i = 0;
#ifndef VIEW_FIRST
  if
  :: changed -> store(bufferNumber[(viewNumber + 1) % 2] = viewNumber + 1); commitView()
  :: !changed
  fi;
#endif
  next[0] = 0; next[1] = 0; next[2] = 0; changed = false
}

inline commitView() {
  atomic {
    ALIVE(me, gone);
#ifdef VIEW_FIRST
    bufferNumber[(viewNumber + 1) % 2] = viewNumber + 1;
#endif
    for (i : 0 .. N - 1) {
      truth[4 * (viewNumber + 1) + i] = next[i];
      /* Who is missing is shut out. */
      assert(!(viewNumber > 0 && truth[4 * viewNumber + i] != 0 && next[i] == 0 &&
               phase[i] == admitted && incarnation[i] == truth[4 * viewNumber + i]))
    }
    i = 0;
    viewNumber++
  }
}

proctype Process(byte me) {
  byte slot, i, one, arrived;
  bool changed, leaves = (LEAVERS >> me) & 1;
  byte next[3];
  byte deadSlot[3]; /* incarnation of who was found dead before the lock */

  /* tryClaim() */
  do
  :: slot == N ->
     if
     :: atomic { MAY_DIE(me) -> DIE(me, gone) }
     :: atomic { CLAIMABLE(0) || CLAIMABLE(1) || CLAIMABLE(2) -> slot = 0 }
     :: atomic { timeout_end -> goto gone } /* the group is full */
     fi
  :: slot < N ->
     store(changed = (phase[slot] == vacant || phase[slot] == joining));
     if
     :: changed ->
        atomic {
          ALIVE(me, gone);
          if
          :: HAS_LOCK(slot) -> changed = false
          :: else -> owner[slot] = me + 1
          fi
        }
     :: !changed
     fi;
     if
     :: changed ->
        store(changed = (phase[slot] == vacant || phase[slot] == joining));
        if
        :: changed -> break
        :: !changed -> store(owner[slot] = 0)
        fi
     :: !changed
     fi;
     slot++
  od;
  atomic {
    ALIVE(me, gone);
#ifndef SAME_INCARNATION
    incarnation[slot]++;
#else
    incarnation[slot] = 1;
#endif
    phase[slot] = joining;
    assert(who[4 * slot + incarnation[slot]] == 0 || who[4 * slot + incarnation[slot]] == me + 1);
    who[4 * slot + incarnation[slot]] = me + 1
  };
  store(joinedView[slot] = false);
  store(departedView[slot] = 0);

  /* admit() */
  i = 0;
  do
  :: i == N -> break
  :: i < N -> store(deadSlot[i] = (phase[i] == admitted && dead[OCCUPANT(i)] -> incarnation[i] : 0); i++)
  od;
  i = 0;
  takeLock();
  do
  :: i == N -> break
  :: i < N && i == slot -> i++
  :: i < N && i != slot ->
     atomic {
       ALIVE(me, gone);
#ifdef STALE_DEATH
       changed = (deadSlot[i] != 0)
#else
       changed = (deadSlot[i] != 0 && deadSlot[i] == incarnation[i] && phase[i] == admitted)
#endif
     };
     if
     :: changed ->
#ifndef STALE_DEATH
        store(departedView[i] = (viewNumber == 0 -> 0 : viewNumber + 1));
#endif
        store(assert(!HAS_LOCK(i) || in[owner[i] - 1] == false || left[owner[i] - 1]); phase[i] = departed)
     :: !changed -> arrived = arrived + (phase[i] == admitted)
     fi;
     i++
  od;
  i = 0; changed = false;
  deadSlot[0] = 0; deadSlot[1] = 0; deadSlot[2] = 0;
  store(phase[slot] = admitted; in[me] = true);
  one = N;
  if
  :: viewNumber == 0 && arrived + 1 < FOUNDERS
  :: else -> install(slot + 1)
  fi;
  arrived = 0; one = 0;
  store(lock = 0);

  /* awaitCohort(), then the member's life. */
  if
  :: atomic { MAY_DIE(me) -> DIE(me, gone) }
  :: atomic { joinedView[slot] && phase[slot] == admitted -> skip }
  :: atomic { phase[slot] == departed -> goto out }
  fi;
  if
  :: !leaves ->
     if
     :: atomic { MAY_DIE(me) -> DIE(me, gone) }
     :: atomic { phase[slot] == departed -> skip } /* evicted */
     :: atomic { timeout_end -> skip }
     fi
  :: leaves -> /* stop(): remove(self) */
     takeLock();
     if
     :: phase[slot] == admitted ->
        store(departedView[slot] = viewNumber + 1);
        one = slot;
#ifndef WORD_LATE
        store(phase[slot] = departed);
#endif
        install(0)
#ifdef WORD_LATE
        ; store(phase[slot] = departed)
#endif
     :: else
     fi;
     store(lock = 0)
  fi;
out:
  atomic { in[me] = false; left[me] = true };
gone:
  atomic { slot = 0; i = 0; one = 0; arrived = 0; changed = false; next[0] = 0; next[1] = 0; next[2] = 0;
           deadSlot[0] = 0; deadSlot[1] = 0; deadSlot[2] = 0; if :: dead[me] -> in[me] = false :: else fi }
}

/* The service thread of process `me`, which is an admitted member. */
#define SERVES(slot) (phase[slot] == admitted && !dead[OCCUPANT(slot)] && !left[OCCUPANT(slot)])
#define IS_DEAD(slot) (phase[slot] == admitted && dead[OCCUPANT(slot)])
#define UNFINISHED(slot) (viewNumber > 0 && truth[4 * viewNumber + (slot)] != 0 && \
                          !(phase[slot] == admitted && incarnation[slot] == truth[4 * viewNumber + (slot)]))
#define TO_FREE(slot) (phase[slot] == departed && !HAS_LOCK(slot) && departedView[slot] <= cleanedView)

proctype Service() {
  byte me, by, one, i, inc;
  bool changed, evicts;
  byte next[3];
gone:
  atomic { me = 0; by = 0; one = N; i = 0; inc = 0; changed = false; evicts = false;
           next[0] = 0; next[1] = 0; next[2] = 0 };
end:
  if
  :: atomic { (SERVES(0) || SERVES(1) || SERVES(2)) &&
              (IS_DEAD(0) || IS_DEAD(1) || IS_DEAD(2) || UNFINISHED(0) || UNFINISHED(1) || UNFINISHED(2) || evictions > 0) ->
       if :: SERVES(0) -> by = 0 :: SERVES(1) -> by = 1 :: SERVES(2) -> by = 2 fi;
       me = OCCUPANT(by);
       one = N;
       if
       :: IS_DEAD(0) -> one = 0
       :: IS_DEAD(1) -> one = 1
       :: IS_DEAD(2) -> one = 2
       :: UNFINISHED(0) || UNFINISHED(1) || UNFINISHED(2)
       :: evictions > 0 && by != 0 && SERVES(0) && joinedView[0] -> one = 0; evicts = true
       :: evictions > 0 && by != 1 && SERVES(1) && joinedView[1] -> one = 1; evicts = true
       :: evictions > 0 && by != 2 && SERVES(2) && joinedView[2] -> one = 2; evicts = true
       :: else -> goto gone
       fi;
       inc = (one == N -> 0 : incarnation[one])
     }
  :: atomic { viewNumber != cleanedView && (SERVES(0) || SERVES(1) || SERVES(2)) -> cleanedView = viewNumber; goto gone }
  :: atomic { (TO_FREE(0) || TO_FREE(1) || TO_FREE(2)) && (SERVES(0) || SERVES(1) || SERVES(2)) && lock == 0 ->
       if :: TO_FREE(0) -> phase[0] = vacant :: TO_FREE(1) -> phase[1] = vacant :: TO_FREE(2) -> phase[2] = vacant fi;
       goto gone
     }
  fi;
  takeLock();
  store(changed = SERVES(by));
  if
  :: !changed -> store(lock = 0); goto gone
  :: changed
  fi;
  if
  :: one < N ->
     store(changed = (phase[one] == admitted && incarnation[one] == inc && (!evicts || evictions > 0)));
     if
     :: changed && evicts -> evictions--
     :: else
     fi;
     if
     :: changed ->
        store(departedView[one] = (viewNumber > 0 && truth[4 * viewNumber + one] == inc -> viewNumber + 1 : 0));
#ifndef WORD_LATE
        store(phase[one] = departed)
#else
        skip
#endif
     :: !changed -> one = N
     fi
  :: one == N
  fi;
  if
  :: viewNumber > 0 -> install(0)
  :: viewNumber == 0
  fi;
#ifdef WORD_LATE
  if :: one < N -> store(phase[one] = departed) :: else fi;
#endif
  store(lock = 0);
  goto gone
}

/* Believes a copy only if the number is still small enough. */
proctype Reader() {
  byte number, i, reads = 1;
  byte copy[3];
  do
  :: reads == 0 -> break
  :: reads > 0 && viewNumber > 0 ->
     reads--;
     number = viewNumber;
     if
     :: bufferNumber[number % 2] == number ->
        i = 0;
        do
        :: i == N -> break
        :: i < N -> atomic { copy[i] = buffer[3 * (number % 2) + i]; i++ }
        od;
        atomic {
#ifndef NO_LOOK_BACK
          if
          :: viewNumber < number + 1 ->
#else
          if
          :: true ->
#endif
             assert(copy[0] == truth[4 * number] && copy[1] == truth[4 * number + 1] && copy[2] == truth[4 * number + 2])
          :: else
          fi;
          number = 0; i = 0; copy[0] = 0; copy[1] = 0; copy[2] = 0
        }
     :: else -> number = 0
     fi
  :: atomic { timeout_end -> break }
  od
}

/* Nothing more can happen: what is the group like? */
proctype Judge() {
  byte i;
  atomic {
    timeout ->
    if
    :: (in[0] || in[1] || in[2] || in[3]) && viewNumber > 0 ->
       assert(lock == 0 || dead[lock - 1]);
       for (i : 0 .. N - 1) {
         assert((truth[4 * viewNumber + i] != 0) == (phase[i] == admitted && joinedView[i]));
         assert(truth[4 * viewNumber + i] == 0 || (truth[4 * viewNumber + i] == incarnation[i] && SERVES(i)))
       }
    :: else
    fi;
    i = 0;
    timeout_end = true
  }
}

init {
  atomic {
    run Process(0); run Process(1); run Process(2);
#if NEWCOMER
    run Process(3);
#endif
    run Service();
    run Reader();
    run Judge()
  }
}
