// A sign-in always ends on the first page: remember here what was asked for, and go there afterwards.
export default function ({ data }) {
  const here = location.pathname + location.search;
  if (!data.signed_in) {
    sessionStorage.setItem(data.key, here);
    return;
  }
  const wanted = sessionStorage.getItem(data.key);
  sessionStorage.removeItem(data.key);
  if (wanted && wanted !== here) location.replace(wanted);
}
