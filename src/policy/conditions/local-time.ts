const LOCAL_TIME = /^(?:[01]\d|2[0-3]):[0-5]\d$/;
const END_OF_DAY = '24:00';

/** Minutes since midnight of `HH:MM`, two digits each; null for anything else. `24:00` is the end of a day, never a start. */
export function parseLocalTime(text: string, role: 'start' | 'end'): number | null {
  const isTime = LOCAL_TIME.test(text) || (text === END_OF_DAY && role === 'end');
  return isTime ? Number(text.slice(0, 2)) * 60 + Number(text.slice(3)) : null;
}
