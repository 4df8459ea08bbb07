/* server/web/panels.js - what opens and closes: the two side panels, which are drawers on a narrow screen, and the
 * dialogs. Escape closes what is open, and the focus goes back to where it came from. */

const $ = (id) => document.getElementById(id);

/* Wider than this a panel stands beside the conversation (as in chat.css). */
const panels = {
  side: { button: $('menu'), element: $('side'), wide: matchMedia('(min-width: 52rem)') },
  people: { button: $('people-button'), element: $('people-panel'), wide: matchMedia('(min-width: 70rem)') },
};

let drawer = null;              /* the panel that lies over the conversation */
let isPeopleWanted = true;      /* beside the conversation, where there is room for it */
let hasPeople = false;

function show() {
  const { side, people } = panels;
  const isPeopleShown = hasPeople && (drawer === people || (people.wide.matches && isPeopleWanted));
  people.element.hidden = !isPeopleShown;
  people.button.hidden = !hasPeople;
  side.element.inert = !side.wide.matches && drawer !== side;
  side.element.classList.toggle('open', drawer === side);
  side.button.setAttribute('aria-expanded', drawer === side);
  people.button.setAttribute('aria-expanded', isPeopleShown);
  people.element.classList.toggle('open', drawer === people);
  $('main').inert = drawer !== null;
  $('scrim').hidden = drawer === null;
}

export function closeDrawer() {
  if (drawer === null) return;
  const { button } = drawer;
  drawer = null;
  show();
  button.focus();
}

function toggle(panel) {
  if (panel.wide.matches) {
    isPeopleWanted = !isPeopleWanted;
    show();
    return;
  }
  drawer = panel;
  show();
  (panel.element.querySelector('[aria-current]') ?? panel.element.querySelector('.close')).focus();
}

/* Is it known who is here? Without it the panel and its button are not there. */
export function setHasPeople(has) {
  if (has === hasPeople) return;
  hasPeople = has;
  if (!has && drawer === panels.people) closeDrawer();
  show();
}

/* Opens a dialog with one field; save(value) is called when it is left by its main button. The security policy
 * forbids a form's own submission. */
export function openDialog(name, value, save) {
  const dialog = $(`${name}-dialog`);
  const field = dialog.querySelector('input');
  field.value = value;
  $(`${name}-form`).onsubmit = (event) => {
    event.preventDefault();
    dialog.close();
    save(field.value);
  };
  dialog.showModal();
  field.select();
}

/* Says that there is no room of this name, over another place; leave() is called when that was read. */
export function showNoRoom(name, leave) {
  const dialog = $('no-room-dialog');
  $('no-room-name').textContent = name;
  dialog.onclose = leave;
  if (!dialog.open) dialog.showModal();
}

/* The page is as high as what is seen: a keyboard that covers the page instead of shrinking it (iOS) hides nothing.
 * A pinch shows less of the page, which stays as it is. */
function followView() {
  const view = window.visualViewport;
  if (!view) return;
  const fit = () => {
    document.documentElement.style.setProperty('--view-height', `${view.height * view.scale}px`);
    if (view.scale === 1) scrollTo(0, 0);
  };
  view.addEventListener('resize', fit);
  fit();
}

export function startPanels() {
  followView();
  for (const panel of Object.values(panels)) {
    panel.button.addEventListener('click', () => toggle(panel));
    panel.element.querySelector('[data-close]').addEventListener('click', () => {
      if (drawer === null) toggle(panel);
      else closeDrawer();
    });
    panel.wide.addEventListener('change', () => {
      if (drawer === panel) drawer = null;
      show();
    });
  }
  $('scrim').addEventListener('click', closeDrawer);
  addEventListener('keydown', (event) => { if (event.key === 'Escape') closeDrawer(); });
  for (const dialog of document.querySelectorAll('dialog')) {
    dialog.querySelector('[data-cancel]').addEventListener('click', () => dialog.close());
    /* A press beside it; the dialog itself is covered by its form. */
    dialog.addEventListener('pointerdown', (event) => { if (event.target === dialog) dialog.close(); });
  }
  show();
}
