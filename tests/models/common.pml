/* What all models share.
 *
 * A member dies at the beginning of a step, before the step's access; so it may die between any two accesses, also
 * under a lock. A member that is stopped is one that takes no step for a while, which the interleaving covers; its
 * eviction (slot word `departed` while it lives and may go on later) is a step of whoever removes it.
 *
 * A step is `atomic { ALIVE(who, out); one access and local work }`. `out` is where a dead process goes. Where a
 * member waits, `atomic { MAY_DIE(who) -> DIE(who, out) }` stands beside what it waits for. */

#ifndef KILLS
#define KILLS 1
#endif
#ifndef EVICTIONS
#define EVICTIONS 1
#endif

byte kills = KILLS;         /* deaths that may still happen */
byte evictions = EVICTIONS; /* living members that may still be judged silent */

#define MAY_DIE(who) (dead[who] || kills > 0)
#define DIE(who, out) \
  if \
  :: dead[who] \
  :: !dead[who] -> kills--; dead[who] = true \
  fi; \
  goto out

#define ALIVE(who, out) \
  if \
  :: MAY_DIE(who) -> DIE(who, out) \
  :: !dead[who] \
  fi
