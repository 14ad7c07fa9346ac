import { CanvasPage } from "./canvas/CanvasPage.js";
import { ListPage } from "./list/ListPage.js";
import { useLobby } from "./lobby.js";
import { useRoute } from "./route.js";
import { Toasts } from "./shared/Toasts.js";

export function App() {
  const route = useRoute();
  const lobby = useLobby(route.page === "canvas" ? route.id : null);
  return (
    <>
      {route.page === "canvas" ? <CanvasPage key={route.id} id={route.id} lobby={lobby} /> : <ListPage lobby={lobby} notice={route.notice} />}
      <Toasts />
    </>
  );
}
